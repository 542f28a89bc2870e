// The streams of WatchProject and WatchProjects: who hears when projects change.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "broker/principal.h"
#include "broker/project_watch.h"
#include "broker/project_worker.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Confined to the control loop. Watches are advanced by the worker, a round of many at a time; a
// watch whose client has not taken what it was sent is left out, and so are a principal's others
// while much of it is not taken: who falls behind does so in the log.
class ProjectWatchers {
 public:
  static constexpr size_t kMostOfOne = 1024;  // watches of one principal
  static constexpr size_t kMost = 16'384;
  // Bytes that a principal's clients have not taken, before its watches are left out; and of a
  // round, in which there may be many of them.
  static constexpr size_t kMostUnsent = size_t{8} * 1024 * 1024;
  static constexpr size_t kMostInRoundBytes = size_t{16} * 1024 * 1024;

  // `worker` outlives it.
  ProjectWatchers(net::EventLoop& loop, ProjectWorker& worker);
  ~ProjectWatchers();
  ProjectWatchers(const ProjectWatchers&) = delete;
  ProjectWatchers& operator=(const ProjectWatchers&) = delete;

  // RESOURCE_EXHAUSTED, and `take` is not called, where there are too many.
  absl::Status Add(const Principal& who, std::unique_ptr<ProjectWatch> watch,
                   absl::FunctionRef<std::unique_ptr<rpc::Stream>()> take,
                   std::function<absl::Status()> may_go_on);
  // Projects may have changed.
  void HandleChanges();
  // Ends those that may not go on.
  void CheckPermissions();
  void EndAll(const absl::Status& why);

  size_t size() const { return watchers_.size(); }

 private:
  class Watcher;
  struct Round;
  struct Owner;

  Owner& OwnerOf(const std::string& who);
  void Leave(Owner& owner, uint64_t watch, size_t unsent);
  void SetReady(Watcher& watcher);
  // Those that wait for it.
  void HandleTaken(Owner& owner);
  void Begin();
  void HandleRound(Round& round);
  void Remove(uint64_t id);

  net::EventLoop& loop_;
  ProjectWorker& worker_;
  const std::shared_ptr<void> alive_ = std::make_shared<char>();
  const std::shared_ptr<RecentChanges> recent_;  // the worker's
  uint64_t last_id_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Owner>> owners_;
  std::unordered_map<uint64_t, std::unique_ptr<Watcher>> watchers_;
  std::deque<uint64_t> ready_;  // for the next rounds
  bool is_running_ = false;     // a round
};

}  // namespace culvert::broker
