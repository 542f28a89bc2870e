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
  // Every write has its own result, but for a failure of the disk, which is of all.
  void CommitWrites() {
    if (writes.empty()) return;
    const auto body = [this](store::ProjectTable& projects) {
      const int64_t before = projects.Version();
      for (WriteJob& write : writes) write.run(projects);
      changed = projects.Version() != before;
      projects.Trim(kKeptChanges, 2 * static_cast<int64_t>(kMostWrites));
      return absl::OkStatus();
    };
    committed = store->Write(body);
    if (!committed.ok()) changed = false;
  }

  void StepSearches() {
    for (Search& search : searches) {
      const absl::Status read = store->Read([&search](store::ProjectTable& projects) {
        absl::StatusOr<bool> over = search.job.search->Step(projects);
        search.is_over = over.ok() && *over;
        return over.status();
      });
      search.status = read;
    }
  }

  struct Search {
    SearchJob job;
    bool is_over = false;
    absl::Status status = absl::OkStatus();
  };

  std::shared_ptr<store::ProjectStore> store;
  std::deque<WriteJob> writes;
  std::deque<Search> searches;
  absl::Status committed = absl::OkStatus();
  bool changed = false;
};

ProjectWorker::ProjectWorker(net::EventLoop& loop, std::unique_ptr<store::ProjectStore> store,
                             std::function<void()> on_changes)
    : loop_(loop), store_(std::move(store)), on_changes_(std::move(on_changes)) {}

ProjectWorker::~ProjectWorker() = default;

absl::Status ProjectWorker::Enqueue(WriteJob job) {
  if (writes_.size() >= kMostWaiting) return Busy();
  writes_.push_back(std::move(job));
  Begin();
  return absl::OkStatus();
}

absl::Status ProjectWorker::Run(std::shared_ptr<ProjectSearch> search,
                                absl::AnyInvocable<void(const absl::Status&) &&> done) {
  if (searches_.size() >= kMostWaiting) return Busy();
  RunAlways(std::move(search), std::move(done));
  return absl::OkStatus();
}

void ProjectWorker::RunAlways(std::shared_ptr<ProjectSearch> search,
                              absl::AnyInvocable<void(const absl::Status&) &&> done) {
  searches_.push_back({std::move(search), std::move(done)});
  Begin();
}

void ProjectWorker::Begin() {
  if (round_ != nullptr || (writes_.empty() && searches_.empty())) return;
  round_ = std::make_shared<Round>();
  round_->store = store_;
  while (!writes_.empty() && round_->writes.size() < kMostWrites) {
    round_->writes.push_back(std::move(writes_.front()));
    writes_.pop_front();
  }
  while (!searches_.empty() && round_->searches.size() < kMostSteps) {
    round_->searches.push_back({std::move(searches_.front())});
    searches_.pop_front();
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
  for (Round::Search& search : round->searches) {
    if (search.status.ok() && !search.is_over) searches_.push_back(std::move(search.job));
  }
  Begin();
  if (round->changed) on_changes_();
  for (WriteJob& write : round->writes) std::move(write.done)(round->committed);
  for (Round::Search& search : round->searches) {
    if (search.job.search != nullptr) std::move(search.job.done)(search.status);
  }
}

}  // namespace culvert::broker
