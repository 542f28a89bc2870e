// Joins pairs of sockets, on threads of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/byte_rate.h"
#include "net/event_loop.h"
#include "net/splice_loop.h"

namespace culvert::net {

// Confined to the loop that it was started on, the control loop; both sockets of a pair are on one
// of its own loops for life. Destroy = reset all pairs; after that no callback runs.
class Splicer {
 public:
  struct Options {
    int loops = 0;    // 0: as many as there are processors, 4 at most
    int pipes = 512;  // at once, of all loops
  };
  // Once for each pair, in a later turn than Join. Both sockets are closed by then.
  using OnEnd = absl::AnyInvocable<void(const SpliceEnd&)>;

  // Fails for want of descriptors.
  static absl::StatusOr<std::unique_ptr<Splicer>> Start(EventLoop& control, const Options& options,
                                                        OnEnd on_end);
  ~Splicer();
  Splicer(const Splicer&) = delete;
  Splicer& operator=(const Splicer&) = delete;

  // Takes two connected stream sockets, non-blocking, and reads nothing of them but to pass it on.
  // The id is never used again. What passes counts in `rate`, if it is not null.
  uint64_t Join(UniqueFd one, UniqueFd other, std::shared_ptr<ByteRate> rate = nullptr);
  // Resets both. OnEnd follows: kCut, or what came before it. Nothing if the pair has ended.
  void Cut(uint64_t id);

  // What was moved until now, from `one` and from `other`; nothing once OnEnd has run.
  std::optional<std::array<uint64_t, 2>> Moved(uint64_t id) const;
  size_t size() const { return pairs_.size(); }

 private:
  // Shared with the tasks that tell of ends, and used on the control loop alone.
  struct Inbox {
    Splicer* splicer;
  };
  struct Worker {
    std::unique_ptr<SpliceLoop> loop;
    size_t pairs = 0;
  };
  struct Joined {
    Worker* worker;
    std::shared_ptr<const SpliceCounts> counts;
  };
  Splicer(EventLoop& control, const Options& options, OnEnd on_end);
  void HandleEnd(const SpliceEnd& end);

  EventLoop& control_;
  OnEnd on_end_ ABSL_GUARDED_BY(control_);
  const std::shared_ptr<Inbox> inbox_;
  PipeBudget pipes_;
  std::vector<std::unique_ptr<Worker>> workers_;  // their loops go before `pipes_`
  std::unordered_map<uint64_t, Joined> pairs_;
  uint64_t last_id_ = 0;
};

}  // namespace culvert::net
