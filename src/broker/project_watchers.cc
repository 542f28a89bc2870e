#include "broker/project_watchers.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"

namespace culvert::broker {
namespace {

// Watches in one round.
constexpr size_t kMostInRound = 256;

}  // namespace

// A principal that watches.
struct ProjectWatchers::Owner {
  std::string name;
  size_t watches = 0;
  size_t unsent = 0;           // bytes
  std::vector<uint64_t> held;  // watches that wait until it is less
};

// Advances some watches, each once at most.
struct ProjectWatchers::Round final : ProjectSearch {
  struct One {
    uint64_t id;
    std::shared_ptr<ProjectWatch> watch;
    absl::StatusOr<ProjectWatch::Step> step = ProjectWatch::Step();
  };

  absl::StatusOr<bool> Step(store::ProjectTable& projects, StepEnd end) override {
    recent->Refresh(projects);
    do {
      One& one = watches[next++];
      one.step = one.watch->Advance(projects, *recent, end);
      if (one.step.ok()) bytes += BytesOf(*one.step);
      // The others have their turn in another round.
      if (bytes > kMostInRoundBytes) next = watches.size();
    } while (next < watches.size() && !end.HasCome());
    return next == watches.size();
  }

  static size_t BytesOf(const ProjectWatch::Step& step) {
    size_t bytes = 0;
    for (const rpc::Frame& frame : step.frames) bytes += frame.head.size() + frame.body.size();
    return bytes;
  }

  std::shared_ptr<RecentChanges> recent;
  std::vector<One> watches;  // one at least
  size_t next = 0;
  size_t bytes = 0;
};

class ProjectWatchers::Watcher final : private rpc::Stream::Delegate {
 public:
  Watcher(ProjectWatchers& watchers, uint64_t id, Owner& owner, std::shared_ptr<ProjectWatch> watch,
          std::function<absl::Status()> may_go_on)
      : watchers_(watchers),
        id_(id),
        owner_(owner),
        watch_(std::move(watch)),
        may_go_on_(std::move(may_go_on)) {
    ++owner_.watches;
  }
  ~Watcher() { watchers_.Leave(owner_, id_, unsent_); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void Take(std::unique_ptr<rpc::Stream> stream) {
    stream_ = std::move(stream);
    stream_->SetDelegate(this);
  }

  uint64_t id() const { return id_; }
  Owner& owner() const { return owner_; }
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
    const size_t bytes = Round::BytesOf(step);
    unsent_ += bytes;
    owner_.unsent += bytes;
    for (rpc::Frame& frame : step.frames) stream_->Write(std::move(frame));
  }
  void Finish(const absl::Status& why) { stream_->Finish(why); }

 private:
  void OnMessage(Bytes) override {}
  void OnWritten() override {
    owner_.unsent -= std::exchange(unsent_, 0);
    watchers_.SetReady(*this);
    watchers_.HandleTaken(owner_);
  }
  void OnEnd(absl::Status) override { watchers_.Remove(id_); }  // and this

  ProjectWatchers& watchers_;
  const uint64_t id_;
  Owner& owner_;
  const std::shared_ptr<ProjectWatch> watch_;  // the worker's while advancing
  const std::function<absl::Status()> may_go_on_;
  std::unique_ptr<rpc::Stream> stream_;
  bool has_news_ = true;
  bool is_advancing_ = false;
  size_t unsent_ = 0;  // bytes that the client has not taken
};

ProjectWatchers::ProjectWatchers(net::EventLoop& loop, ProjectWorker& worker)
    : loop_(loop), worker_(worker), recent_(std::make_shared<RecentChanges>()) {}

ProjectWatchers::~ProjectWatchers() { watchers_.clear(); }

ProjectWatchers::Owner& ProjectWatchers::OwnerOf(const std::string& who) {
  std::unique_ptr<Owner>& owner = owners_[who];
  if (owner == nullptr) {
    owner = std::make_unique<Owner>();
    owner->name = who;
  }
  return *owner;
}

// The streams of a watch that goes are not its owner's any more.
void ProjectWatchers::Leave(Owner& owner, uint64_t watch, size_t unsent) {
  owner.unsent -= unsent;
  std::erase(owner.held, watch);
  if (--owner.watches == 0) {
    owners_.erase(std::string(owner.name));
  } else {
    HandleTaken(owner);
  }
}

absl::Status ProjectWatchers::Add(const Principal& who, std::unique_ptr<ProjectWatch> watch,
                                  absl::FunctionRef<std::unique_ptr<rpc::Stream>()> take,
                                  std::function<absl::Status()> may_go_on) {
  loop_.AssertOnThread();
  const std::string name = who.id.ToString();
  const auto known = owners_.find(name);
  if (known != owners_.end() && known->second->watches >= kMostOfOne) {
    return absl::ResourceExhaustedError(
        fmt::format("too many watches of {} (limit {})", who.ToString(), kMostOfOne));
  }
  if (watchers_.size() >= kMost) {
    return absl::ResourceExhaustedError(fmt::format("too many watches (limit {})", kMost));
  }
  const uint64_t id = ++last_id_;
  auto watcher =
      std::make_unique<Watcher>(*this, id, OwnerOf(name), std::move(watch), std::move(may_go_on));
  watcher->Take(take());
  Watcher& added = *watcher;
  watchers_.emplace(id, std::move(watcher));
  SetReady(added);
  return absl::OkStatus();
}

void ProjectWatchers::HandleChanges() {
  loop_.AssertOnThread();
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

void ProjectWatchers::HandleTaken(Owner& owner) {
  if (owner.unsent > kMostUnsent || owner.held.empty()) return;
  ready_.insert(ready_.end(), owner.held.begin(), owner.held.end());
  owner.held.clear();
  Begin();
}

void ProjectWatchers::Begin() {
  if (is_running_) return;
  auto round = std::make_shared<Round>();
  round->recent = recent_;
  for (; !ready_.empty() && round->watches.size() < kMostInRound; ready_.pop_front()) {
    const uint64_t id = ready_.front();
    const auto found = watchers_.find(id);
    if (found == watchers_.end()) continue;
    Owner& owner = found->second->owner();
    if (owner.unsent > kMostUnsent) {
      owner.held.push_back(id);
    } else {
      round->watches.push_back({id, found->second->watch()});
    }
  }
  if (round->watches.empty()) return;
  is_running_ = true;
  worker_.RunAlways(alive_, round, [this, round](const absl::Status& status) {
    // A failure of the disk is everybody's.
    if (!status.ok()) {
      for (Round::One& one : round->watches) one.step = status;
    }
    HandleRound(*round);
  });
}

void ProjectWatchers::HandleRound(Round& round) {
  for (Round::One& one : round.watches) {
    const auto found = watchers_.find(one.id);
    if (found == watchers_.end()) continue;
    if (!one.step.ok()) {
      found->second->Finish(one.step.status());
      Remove(one.id);
      continue;
    }
    found->second->EndAdvance(*std::move(one.step));
    SetReady(*found->second);
  }
  is_running_ = false;
  Begin();
}

// Out of the map first: its end may look at the others.
void ProjectWatchers::Remove(uint64_t id) { const auto gone = watchers_.extract(id); }

void ProjectWatchers::CheckPermissions() {
  loop_.AssertOnThread();
  std::vector<std::unique_ptr<Watcher>> ended;  // their end may look at the others
  for (auto next = watchers_.begin(); next != watchers_.end();) {
    const absl::Status may = next->second->MayGoOn();
    if (may.ok()) {
      ++next;
      continue;
    }
    next->second->Finish(absl::PermissionDeniedError(std::string(MessageOf(may))));
    ended.push_back(std::move(next->second));
    next = watchers_.erase(next);
  }
}

void ProjectWatchers::EndAll(const absl::Status& why) {
  loop_.AssertOnThread();
  for (auto& [id, watcher] : watchers_) watcher->Finish(why);
  ready_.clear();
  const auto ended = std::exchange(watchers_, {});
}

}  // namespace culvert::broker
