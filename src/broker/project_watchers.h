// The streams of WatchProject and WatchProjects: who hears when projects change.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "broker/admission.h"
#include "broker/principal.h"
#include "broker/project_watch.h"
#include "broker/project_worker.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Confined to the control loop. Watches are advanced by the worker, a round of many at a time; a
// watch whose client has not taken what it was sent is left out, so that it costs no memory however
// far it falls behind.
class ProjectWatchers {
 public:
  static constexpr uint64_t kMostOfOne = 1024;  // watches of one principal
  static constexpr size_t kMost = 16'384;

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

  void SetReady(Watcher& watcher);
  void Begin();
  void HandleRound(Round& round);
  void Remove(uint64_t id);

  net::EventLoop& loop_;
  ProjectWorker& worker_;
  SlotCounter of_one_{"watches", kMostOfOne};
  const std::shared_ptr<RecentChanges> recent_;  // the worker's
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Watcher>> watchers_;
  std::vector<uint64_t> ready_;  // for the next round
  bool is_running_ = false;      // a round
};

}  // namespace culvert::broker
