// Where both ends of a stitched channel dial: takes sockets, reads the 32 bytes that say whose each
// is, and passes it on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/token_bucket.h"
#include "broker/log_throttle.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "net/fd_poll.h"
#include "net/listener.h"
#include "net/timer.h"
#include "net/unique_fd.h"

namespace culvert::broker {

// Answers nothing, and never reads a byte behind the token: that is the other end's. What it limits
// are sockets without an accepted token; those that have one are the taker's. Confined to the
// control loop; destroy = stop listening and close what is here.
class DataPort {
 public:
  static constexpr size_t kTokenBytes = 32;
  enum class Peers { kAny, kLoopback };  // the others are closed at once
  struct Limits {
    // Of one IPv4 address, or one /64 of IPv6. The oldest goes for one more.
    size_t per_address = 64;
    size_t most = 4'096;  // of all, the same
    Duration token_within = std::chrono::seconds(5);
    // Of one address; after that each of its tokens waits until the next may be wrong.
    TokenRate wrong = {.per_second = 5, .burst = 5};
  };
  // Takes the socket if `token` is good, in whatever way; says whether it was.
  enum class Verdict { kGood, kWrong };
  using OnToken = absl::AnyInvocable<Verdict(std::string_view token, net::UniqueFd socket)>;

  DataPort(net::EventLoop& loop, Peers peers, const Limits& limits, OnToken on_token);
  DataPort(const DataPort&) = delete;
  DataPort& operator=(const DataPort&) = delete;

  // Listens there, too. The message of a failure names the address.
  absl::Status Listen(const net::Address& address);
  // Sockets that are here stay.
  void StopListening() { listeners_.clear(); }
  std::vector<net::Address> addresses() const;
  // Sockets without an accepted token.
  size_t waiting() const { return waiting_count_; }

 private:
  enum class State { kReading, kDelayed };
  struct Waiting {
    std::string address;  // AddressGroup
    net::UniqueFd socket;
    MonotonicTime until;
    State state = State::kReading;
    size_t got = 0;
    std::array<char, kTokenBytes> token{};
    std::optional<net::FdPoll> poll;  // goes before `socket`
  };
  using Sockets = std::list<Waiting>;  // in the order of `until`

  void Accept(net::UniqueFd socket, const net::Address& peer);
  void MakeRoom(const std::string& address, const net::Address& peer);
  void Read(Sockets::iterator socket);
  void Complete(Sockets::iterator socket);
  void Judge(Sockets::iterator socket);
  void Erase(Sockets::iterator socket);
  void ExpireLater();
  void Expire();
  void RetryDelayed();

  net::EventLoop& loop_;
  const Peers peers_;
  const Limits limits_;
  OnToken on_token_ ABSL_GUARDED_BY(loop_);
  std::vector<std::unique_ptr<net::FdListener>> listeners_;
  Sockets sockets_ ABSL_GUARDED_BY(loop_);
  size_t waiting_count_ = 0;
  std::unordered_map<std::string, std::vector<Sockets::iterator>> by_address_;  // oldest first
  TokenBuckets wrong_;
  LogThrottle dropped_log_;
  net::Timer expiry_;
  net::Timer retry_;
};

// What the limits count by: the address, of IPv6 the first 64 bits. Not for people.
std::string AddressGroup(const net::Address& address);

}  // namespace culvert::broker
