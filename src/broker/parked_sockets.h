// Data sockets that wait for a channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "broker/leases.h"
#include "net/event_loop.h"
#include "net/fd_poll.h"
#include "net/timer.h"
#include "net/unique_fd.h"

namespace culvert::broker {

// A socket is here from its token until it is taken, for one channel; it never comes back. Nothing
// of it is read: what its peer sent early waits in the kernel. It is closed when its peer ends or
// resets it, when its host does not answer any more, after six minutes (its owner replaces it
// earlier) and with its owner. Confined to the loop; destroy = close all.
class ParkedSockets {
 public:
  struct Limits {
    size_t per_principal = 16;
    size_t most = 65'536;  // of all
    Duration lifetime = std::chrono::minutes(6);
  };
  struct Parked {
    uint64_t id = 0;
    net::UniqueFd socket;
  };

  ParkedSockets(net::EventLoop& loop, const Limits& limits);
  explicit ParkedSockets(net::EventLoop& loop) : ParkedSockets(loop, Limits()) {}
  ParkedSockets(const ParkedSockets&) = delete;
  ParkedSockets& operator=(const ParkedSockets&) = delete;

  enum class Result { kParked, kTooMany, kGone };
  // Closes the socket unless kParked. Sets its options: keepalive and TCP_USER_TIMEOUT, which is to
  // be off once the channel uses it.
  Result Park(const Leased& as, net::UniqueFd socket);
  // The socket of that id, if it is alive and `owner`'s.
  std::optional<Parked> Take(const DataOwner& owner, uint64_t parked_id);
  bool Holds(const DataOwner& owner, uint64_t parked_id) const;
  // The newest live one: it will be replaced last.
  std::optional<Parked> TakeNewest(const DataOwner& owner);
  // The owner is gone.
  void Drop(const DataOwner& owner);

  size_t CountOf(const std::string& principal) const;
  size_t size() const {
    loop_.AssertOnThread();
    return entries_.size();
  }

 private:
  struct Entry {
    Leased as;
    net::UniqueFd socket;
    MonotonicTime until;
    std::optional<net::FdPoll> poll;  // goes before `socket`
  };
  using Entries = std::list<Entry>;  // in the order of `until`
  void Erase(Entries::iterator entry);
  // Alive or not, it is here no more.
  std::optional<Parked> Release(Entries::iterator entry);
  void ExpireLater();
  void Expire();

  net::EventLoop& loop_;
  const Limits limits_;
  Entries entries_ ABSL_GUARDED_BY(loop_);
  std::unordered_map<uint64_t, Entries::iterator> by_id_;
  std::map<DataOwner, std::vector<uint64_t>> by_owner_;  // oldest first
  std::unordered_map<std::string, size_t> per_principal_;
  net::Timer expiry_;
};

}  // namespace culvert::broker
