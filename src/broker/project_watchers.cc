#include "broker/project_watchers.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

// Watches in one round.
constexpr size_t kMostInRound = 256;
// For how long a round keeps the worker from everything else at a time.
constexpr Duration kStepTime = std::chrono::milliseconds(5);

}  // namespace

// Advances some watches, each once.
struct ProjectWatchers::Round final : ProjectSearch {
  struct One {
    uint64_t id;
    std::shared_ptr<ProjectWatch> watch;
    absl::StatusOr<ProjectWatch::Step> step = ProjectWatch::Step();
  };

  absl::StatusOr<bool> Step(store::ProjectTable& projects) override {
    recent->Refresh(projects);
    const MonotonicTime end = MonotonicNow() + kStepTime;
    while (next < watches.size()) {
      watches[next].step = watches[next].watch->Advance(projects, *recent);
      ++next;
      if (MonotonicNow() >= end) break;
    }
    return next == watches.size();
  }

  std::shared_ptr<RecentChanges> recent;
  std::vector<One> watches;
  size_t next = 0;
};

class ProjectWatchers::Watcher final : private rpc::Stream::Delegate {
 public:
  Watcher(ProjectWatchers& owner, uint64_t id, SlotCounter::Slot slot,
          std::shared_ptr<ProjectWatch> watch, std::function<absl::Status()> may_go_on)
      : owner_(owner),
        id_(id),
        slot_(std::move(slot)),
        watch_(std::move(watch)),
        may_go_on_(std::move(may_go_on)) {}

  void Take(std::unique_ptr<rpc::Stream> stream) {
    stream_ = std::move(stream);
    stream_->SetDelegate(this);
  }

  uint64_t id() const { return id_; }
  const std::shared_ptr<ProjectWatch>& watch() const { return watch_; }
  absl::Status MayGoOn() const { return may_go_on_(); }

  // Whether there may be something for it, and it can be sent.
  bool CanAdvance() const { return has_news_ && !is_advancing_ && stream_->pending_writes() == 0; }
  void SetNews() { has_news_ = true; }
  // What is new from now on is news again.
  void BeginAdvance() {
    has_news_ = false;
    is_advancing_ = true;
  }
  void EndAdvance(ProjectWatch::Step step) {
    is_advancing_ = false;
    if (!step.is_idle) has_news_ = true;
    for (rpc::Frame& frame : step.frames) stream_->Write(std::move(frame));
  }
  void Finish(const absl::Status& why) { stream_->Finish(why); }

 private:
  void OnMessage(Bytes) override {}
  void OnWritten() override { owner_.SetReady(*this); }
  void OnEnd(absl::Status) override { owner_.Remove(id_); }  // and this

  ProjectWatchers& owner_;
  const uint64_t id_;
  const SlotCounter::Slot slot_;
  const std::shared_ptr<ProjectWatch> watch_;  // the worker's while advancing
  const std::function<absl::Status()> may_go_on_;
  std::unique_ptr<rpc::Stream> stream_;
  bool has_news_ = true;
  bool is_advancing_ = false;
};

ProjectWatchers::ProjectWatchers(net::EventLoop& loop, ProjectWorker& worker)
    : loop_(loop), worker_(worker), recent_(std::make_shared<RecentChanges>()) {}

ProjectWatchers::~ProjectWatchers() = default;

absl::Status ProjectWatchers::Add(const Principal& who, std::unique_ptr<ProjectWatch> watch,
                                  absl::FunctionRef<std::unique_ptr<rpc::Stream>()> take,
                                  std::function<absl::Status()> may_go_on) {
  loop_.AssertOnThread();
  if (watchers_.size() >= kMost) {
    return absl::ResourceExhaustedError(fmt::format("too many watches (limit {})", kMost));
  }
  CULVERT_ASSIGN_OR_RETURN(SlotCounter::Slot slot, of_one_.Take(who.id.ToString()));
  const uint64_t id = ++last_id_;
  auto watcher =
      std::make_unique<Watcher>(*this, id, std::move(slot), std::move(watch), std::move(may_go_on));
  watcher->Take(take());
  Watcher& added = *watcher;
  watchers_.emplace(id, std::move(watcher));
  SetReady(added);
  return absl::OkStatus();
}

void ProjectWatchers::HandleChanges() {
  for (auto& [id, watcher] : watchers_) {
    watcher->SetNews();
    SetReady(*watcher);
  }
}

void ProjectWatchers::SetReady(Watcher& watcher) {
  if (!watcher.CanAdvance()) return;
  watcher.BeginAdvance();
  ready_.push_back(watcher.id());
  Begin();
}

void ProjectWatchers::Begin() {
  if (is_running_ || ready_.empty()) return;
  auto round = std::make_shared<Round>();
  round->recent = recent_;
  const size_t count = std::min(ready_.size(), kMostInRound);
  for (size_t i = 0; i < count; ++i) {
    const auto found = watchers_.find(ready_[i]);
    if (found != watchers_.end()) round->watches.push_back({ready_[i], found->second->watch()});
  }
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<ptrdiff_t>(count));
  is_running_ = true;
  worker_.RunAlways(round, [this, round](const absl::Status& status) {
    // A failure of the disk is everybody's.
    if (!status.ok()) {
      for (Round::One& one : round->watches) one.step = status;
    }
    HandleRound(*round);
  });
}

void ProjectWatchers::HandleRound(Round& round) {
  is_running_ = false;
  Begin();
  for (Round::One& one : round.watches) {
    const auto found = watchers_.find(one.id);
    if (found == watchers_.end()) continue;
    if (!one.step.ok()) {
      found->second->Finish(one.step.status());
      watchers_.erase(found);
      continue;
    }
    found->second->EndAdvance(*std::move(one.step));
    SetReady(*found->second);
  }
}

void ProjectWatchers::Remove(uint64_t id) { watchers_.erase(id); }

void ProjectWatchers::CheckPermissions() {
  for (auto next = watchers_.begin(); next != watchers_.end();) {
    const absl::Status may = next->second->MayGoOn();
    if (may.ok()) {
      ++next;
      continue;
    }
    next->second->Finish(absl::PermissionDeniedError(std::string(MessageOf(may))));
    next = watchers_.erase(next);
  }
}

void ProjectWatchers::EndAll(const absl::Status& why) {
  for (auto& [id, watcher] : watchers_) watcher->Finish(why);
  watchers_.clear();
  ready_.clear();
}

}  // namespace culvert::broker
