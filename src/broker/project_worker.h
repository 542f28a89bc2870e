// Reads and writes projects beside the control loop, which waits for no disk and no long search.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "net/work.h"
#include "store/project_store.h"

namespace culvert::broker {

// A search in steps of some milliseconds, between which others have their turn.
class ProjectSearch {
 public:
  virtual ~ProjectSearch() = default;
  // Not on the loop. Whether it is over; an error ends it.
  virtual absl::StatusOr<bool> Step(store::ProjectTable& projects) = 0;
};

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
  // Changes that the log keeps at least.
  static constexpr int64_t kKeptChanges = 100'000;

  // `on_changes` is called after every round that changed projects, before its writes' own
  // callbacks.
  ProjectWorker(net::EventLoop& loop, std::unique_ptr<store::ProjectStore> store,
                std::function<void()> on_changes);
  ~ProjectWorker();
  ProjectWorker(const ProjectWorker&) = delete;
  ProjectWorker& operator=(const ProjectWorker&) = delete;

  // Runs `body` in a transaction, and `done` once it is on the disk. A `body` that fails must have
  // written nothing: others are in the same transaction. RESOURCE_EXHAUSTED, and neither is run,
  // where too many wait; so does Run.
  template <class Result>
  absl::Status Write(absl::AnyInvocable<absl::StatusOr<Result>(store::ProjectTable&)> body,
                     absl::AnyInvocable<void(absl::StatusOr<Result>) &&> done) {
    auto result = std::make_shared<absl::StatusOr<Result>>(absl::UnknownError("not run"));
    return Enqueue({[body = std::move(body), result](store::ProjectTable& projects) mutable {
                      *result = body(projects);
                    },
                    [result, done = std::move(done)](const absl::Status& committed) mutable {
                      std::move(done)(committed.ok() ? std::move(*result)
                                                     : absl::StatusOr<Result>(committed));
                    }});
  }

  // `search` must not be touched until `done`, which gets OK or why it failed.
  absl::Status Run(std::shared_ptr<ProjectSearch> search,
                   absl::AnyInvocable<void(const absl::Status&) &&> done);
  // The same however many wait: for searches of the broker's own, of which there are few.
  void RunAlways(std::shared_ptr<ProjectSearch> search,
                 absl::AnyInvocable<void(const absl::Status&) &&> done);

 private:
  struct WriteJob {
    absl::AnyInvocable<void(store::ProjectTable&)> run;
    absl::AnyInvocable<void(const absl::Status&) &&> done;
  };
  struct SearchJob {
    std::shared_ptr<ProjectSearch> search;
    absl::AnyInvocable<void(const absl::Status&) &&> done;
  };
  // What is on the thread. Its own, so that it may outlive the worker.
  struct Round;

  absl::Status Enqueue(WriteJob job);
  void Begin();
  void HandleDone();

  net::EventLoop& loop_;
  const std::shared_ptr<store::ProjectStore> store_;
  const std::function<void()> on_changes_;
  std::deque<WriteJob> writes_;
  std::deque<SearchJob> searches_;
  std::shared_ptr<Round> round_;  // under way
  std::optional<net::Work> work_;
};

}  // namespace culvert::broker
