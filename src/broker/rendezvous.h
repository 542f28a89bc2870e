// Two sockets that find each other by a pair of tokens, with nothing else said: the raw form of a
// stitched connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "broker/raw_request.h"
#include "net/event_loop.h"
#include "net/fd_poll.h"
#include "net/timer.h"
#include "net/unique_fd.h"

namespace culvert::broker {

// Either side may come first; it waits for the other as long as the tokens are good, unread: what
// it sends early, its end of file too, stays in the kernel. A reset of it ends the rendezvous. Once
// both are there no clock runs. Confined to the control loop; destroy = close those that wait.
class Rendezvous {
 public:
  static constexpr size_t kTokenBytes = 32;
  struct Limits {
    size_t per_owner = 16;
    size_t most = 4'096;  // of all
    Duration lifetime = std::chrono::seconds(60);
  };
  // One for each side.
  using Tokens = std::array<std::string, 2>;
  // In the order of the tokens.
  using OnPair = absl::AnyInvocable<void(RawRequest, net::UniqueFd one, net::UniqueFd other)>;

  // The two do not meet: it was too late for them, one of them was reset, or EndIf ended it.
  using OnUnmet = absl::AnyInvocable<void(const RawRequest&, const absl::Status& why)>;

  Rendezvous(net::EventLoop& loop, const Limits& limits, OnPair on_pair);
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  void SetOnUnmet(OnUnmet on_unmet) {
    loop_.AssertOnThread();
    on_unmet_ = std::move(on_unmet);
  }
  // Nothing when there are too many, of the principal that asked or of all.
  std::optional<Tokens> Make(RawRequest request);
  // Takes the socket if `token` is of a rendezvous and was not used.
  enum class Result { kTaken, kUnknown };
  Result Present(std::string_view token, net::UniqueFd& socket);

  // Ends those for whose requests `may` is not OK: their tokens are good no more.
  void EndIf(absl::FunctionRef<absl::Status(const RawRequest&)> may);

  Duration lifetime() const { return limits_.lifetime; }
  size_t CountOf(const std::string& owner) const;
  size_t size() const { return count_; }

 private:
  struct Side {
    std::string digest;  // of its token; empty once it was used
    net::UniqueFd socket;
    std::optional<net::FdPoll> poll;  // goes before `socket`
  };
  struct Meeting {
    RawRequest request;
    MonotonicTime until;
    std::array<Side, 2> sides;
  };
  using Meetings = std::list<Meeting>;  // in the order of `until`
  struct Place {
    Meetings::iterator meeting;
    size_t side;
  };
  void Wait(Place place);
  void Complete(Meetings::iterator meeting);
  void Erase(Meetings::iterator meeting);
  void GiveUp(Meetings::iterator meeting, const absl::Status& why);
  void ExpireLater();
  void Expire();

  net::EventLoop& loop_;
  const Limits limits_;
  OnPair on_pair_ ABSL_GUARDED_BY(loop_);
  OnUnmet on_unmet_ ABSL_GUARDED_BY(loop_);
  Meetings meetings_ ABSL_GUARDED_BY(loop_);
  size_t count_ = 0;
  std::unordered_map<std::string, Place> by_digest_;
  std::unordered_map<std::string, size_t> per_owner_;
  net::Timer expiry_;
};

}  // namespace culvert::broker
