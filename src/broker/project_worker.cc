#include "broker/project_worker.h"

#include <fmt/format.h>

#include "base/status.h"

namespace culvert::broker {
namespace {

absl::Status Busy() {
  return absl::ResourceExhaustedError("too many requests for projects are waiting: try again");
}

}  // namespace

struct ProjectWorker::Round {
  struct Search {
    SearchJob job;
    bool is_over = false;
    absl::Status status = absl::OkStatus();
  };

  // Every write has its own result, but for a failure of the disk, which is of all.
  void CommitWrites() {
    if (writes.empty()) return;
    const auto body = [this](store::ProjectTable& projects) {
      const int64_t before = projects.Version();
      // The control loop may wait for the same lock.
      const StepEnd end = StepEnd::After(kWriteTime);
      for (written = 0; written < writes.size() && !end.HasCome(); ++written) {
        writes[written].run(projects);
      }
      changed = projects.Version() != before;
      projects.Trim(kKeptChanges, 2 * static_cast<int64_t>(kMostWrites), kKeptBytes);
      return absl::OkStatus();
    };
    committed = store->Write(body);
    if (!committed.ok()) changed = false;
  }

  void StepSearches() {
    for (Search& search : searches) {
      search.status = store->Read([&search](store::ProjectTable& projects) {
        absl::StatusOr<bool> over = search.job.search->Step(projects, StepEnd::After(kStepTime));
        search.is_over = over.ok() && *over;
        return over.status();
      });
    }
  }

  std::shared_ptr<store::ProjectStore> store;
  std::deque<WriteJob> writes;
  size_t written = 0;  // of them, the first ones
  std::deque<Search> searches;
  absl::Status committed = absl::OkStatus();
  bool changed = false;
};

ProjectWorker::ProjectWorker(net::EventLoop& loop, std::unique_ptr<store::ProjectStore> store,
                             std::function<void()> on_changes)
    : loop_(loop), store_(std::move(store)), on_changes_(std::move(on_changes)) {}

ProjectWorker::~ProjectWorker() = default;

absl::Status ProjectWorker::Enqueue(WriteJob job) {
  loop_.AssertOnThread();
  if (writes_.size() >= kMostWaiting) return Busy();
  writes_.push_back(std::move(job));
  Begin();
  return absl::OkStatus();
}

absl::Status ProjectWorker::Run(WorkerClient client, std::shared_ptr<ProjectSearch> search,
                                absl::AnyInvocable<void(const absl::Status&) &&> done) {
  if (searches_.size() + long_searches_.size() >= kMostWaiting) return Busy();
  RunAlways(std::move(client), std::move(search), std::move(done));
  return absl::OkStatus();
}

void ProjectWorker::RunAlways(WorkerClient client, std::shared_ptr<ProjectSearch> search,
                              absl::AnyInvocable<void(const absl::Status&) &&> done) {
  loop_.AssertOnThread();
  searches_.push_back({std::move(client), std::move(search), std::move(done)});
  Begin();
}

void ProjectWorker::TakeSearches(std::deque<SearchJob>& from, size_t most) {
  while (!from.empty() && round_->searches.size() < most) {
    if (!from.front().client.expired()) round_->searches.push_back({std::move(from.front())});
    from.pop_front();
  }
}

void ProjectWorker::Begin() {
  if (round_ != nullptr) return;
  round_ = std::make_shared<Round>();
  round_->store = store_;
  while (!writes_.empty() && round_->writes.size() < kMostWrites) {
    if (!writes_.front().client.expired()) round_->writes.push_back(std::move(writes_.front()));
    writes_.pop_front();
  }
  TakeSearches(long_searches_, kMostSteps / 4);
  TakeSearches(searches_, kMostSteps);
  TakeSearches(long_searches_, kMostSteps);
  if (round_->writes.empty() && round_->searches.empty()) {
    round_.reset();
    return;
  }
  work_.emplace(
      loop_,
      [round = round_] {
        round->CommitWrites();
        round->StepSearches();
      },
      [this] { HandleDone(); });
}

void ProjectWorker::HandleDone() {
  const std::shared_ptr<Round> round = std::exchange(round_, nullptr);
  std::deque<WriteJob>& writes = round->writes;
  // What there was no time for is next.
  for (; writes.size() > round->written && round->committed.ok(); writes.pop_back()) {
    writes_.push_front(std::move(writes.back()));
  }
  for (Round::Search& search : round->searches) {
    if (search.status.ok() && !search.is_over) long_searches_.push_back(std::move(search.job));
  }
  Begin();
  if (round->changed) on_changes_();
  for (WriteJob& write : writes) std::move(write.done)(round->committed);
  for (Round::Search& search : round->searches) {
    const bool is_done = search.job.search != nullptr && !search.job.client.expired();
    if (is_done) std::move(search.job.done)(search.status);
  }
}

}  // namespace culvert::broker
