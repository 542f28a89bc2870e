// Reads and writes projects beside the control loop, which waits for no disk and no long search.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "net/work.h"
#include "store/project_store.h"

namespace culvert::broker {

// Until when a step may go on. A value.
class StepEnd {
 public:
  static StepEnd Never() { return StepEnd(MonotonicTime::max()); }
  static StepEnd After(Duration time) { return StepEnd(MonotonicNow() + time); }

  bool HasCome() const { return time_ != MonotonicTime::max() && MonotonicNow() >= time_; }

 private:
  explicit StepEnd(MonotonicTime time) : time_(time) {}

  MonotonicTime time_;
};

// A search in steps of some milliseconds, between which others have their turn.
class ProjectSearch {
 public:
  virtual ~ProjectSearch() = default;
  // Not on the loop. Whether it is over; an error ends it. Looks at one project or more, and at no
  // further one once `end` has come.
  virtual absl::StatusOr<bool> Step(store::ProjectTable& projects,
                                    StepEnd end = StepEnd::Never()) = 0;
};

// Somebody who waits for the worker: who is gone by then is not worked for any more.
using WorkerClient = std::weak_ptr<void>;

// Confined to the loop, where the callbacks come, never inside a call and none after the
// destructor. One round of work at a time is on a thread of libuv's: the writes that wait, in one
// transaction, and a step of each search.
class ProjectWorker {
 public:
  // Writes, and searches, that may wait.
  static constexpr size_t kMostWaiting = 4096;
  // Writes in one transaction, and steps of searches in one round.
  static constexpr size_t kMostWrites = 256;
  static constexpr size_t kMostSteps = 16;
  // How long the writes of a round may take before the disk, and each step.
  static constexpr Duration kWriteTime = std::chrono::milliseconds(20);
  static constexpr Duration kStepTime = std::chrono::milliseconds(4);
  // Changes that the log keeps at least.
  static constexpr int64_t kKeptChanges = 100'000;
  // Fewer where they have more bytes.
  static constexpr int64_t kKeptBytes = int64_t{1} << 30;

  // `on_changes` is called after every round that changed projects, before its writes' own
  // callbacks.
  ProjectWorker(net::EventLoop& loop, std::unique_ptr<store::ProjectStore> store,
                std::function<void()> on_changes);
  ~ProjectWorker();
  ProjectWorker(const ProjectWorker&) = delete;
  ProjectWorker& operator=(const ProjectWorker&) = delete;

  // Runs `body` in a transaction, and `done` once it is on the disk; neither if `client` is gone
  // before it begins. A `body` that fails must have written nothing: others are in the same
  // transaction. RESOURCE_EXHAUSTED, and neither is run, where too many wait; so does Run.
  template <class Result>
  absl::Status Write(WorkerClient client,
                     absl::AnyInvocable<absl::StatusOr<Result>(store::ProjectTable&)> body,
                     absl::AnyInvocable<void(absl::StatusOr<Result>) &&> done) {
    auto result = std::make_shared<absl::StatusOr<Result>>(absl::UnknownError("not run"));
    return Enqueue({std::move(client),
                    [body = std::move(body), result](store::ProjectTable& projects) mutable {
                      *result = body(projects);
                    },
                    [result, done = std::move(done)](const absl::Status& committed) mutable {
                      std::move(done)(committed.ok() ? std::move(*result)
                                                     : absl::StatusOr<Result>(committed));
                    }});
  }

  // `search` must not be touched until `done`, which gets OK or why it failed. It ends without
  // `done` if `client` is gone.
  absl::Status Run(WorkerClient client, std::shared_ptr<ProjectSearch> search,
                   absl::AnyInvocable<void(const absl::Status&) &&> done);
  // The same however many wait: for searches of the broker's own, of which there are few.
  void RunAlways(WorkerClient client, std::shared_ptr<ProjectSearch> search,
                 absl::AnyInvocable<void(const absl::Status&) &&> done);

 private:
  struct WriteJob {
    WorkerClient client;
    absl::AnyInvocable<void(store::ProjectTable&)> run;
    absl::AnyInvocable<void(const absl::Status&) &&> done;
  };
  struct SearchJob {
    WorkerClient client;
    std::shared_ptr<ProjectSearch> search;
    absl::AnyInvocable<void(const absl::Status&) &&> done;
  };
  // What is on the thread. Its own, so that it may outlive the worker.
  struct Round;

  absl::Status Enqueue(WriteJob job);
  void Begin();
  void TakeSearches(std::deque<SearchJob>& from, size_t most);
  void HandleDone();

  net::EventLoop& loop_;
  const std::shared_ptr<store::ProjectStore> store_;
  const std::function<void()> on_changes_;
  std::deque<WriteJob> writes_;
  // What may be over after one step goes before what was not.
  std::deque<SearchJob> searches_;
  std::deque<SearchJob> long_searches_;
  std::shared_ptr<Round> round_;  // under way
  std::optional<net::Work> work_;
};

}  // namespace culvert::broker
