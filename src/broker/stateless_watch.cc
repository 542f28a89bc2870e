// Watches of all that matches, which go on from a place in the log.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "broker/project_watch.h"
#include "broker/stepped_scan.h"
#include "broker/watch_message.h"
#include "broker/watch_tokens.h"

namespace culvert::broker {
namespace {

using store::Project;
using store::ProjectTable;

// Projects, or changes, that one step looks at.
constexpr size_t kMostLookedAt = 1000;
// A client hears at least once in so many changes that are not for it how far it is, so that its
// token does not go stale while it waits.
constexpr int64_t kTokenDistance = 10'000;

// Up to which change each project of a snapshot is known that was read in several transactions:
// those whose names are up to `last_id`, and after the one before, as of `version`.
struct ReadPart {
  std::string last_id;
  int64_t version;
};

class StatelessWatch final : public ProjectWatch {
 public:
  StatelessWatch(WatchQuestion question, const resource::PageTokens& tokens)
      : question_(std::move(question)), tokens_(tokens) {}

  absl::StatusOr<Step> Advance(ProjectTable& projects, const RecentChanges& changes,
                               StepEnd end) override {
    Step step;
    if (phase_ == Phase::kBegin) Begin(projects, changes, &step);
    if (!changes.HasAllAfter(position_)) Reset(changes, &step);
    if (phase_ == Phase::kSnapshot) {
      ReadSnapshot(projects, changes, end, &step);
    } else {
      Follow(projects, changes, end, &step);
    }
    return step;
  }

 private:
  enum class Phase { kBegin, kSnapshot, kFollow };

  void Begin(ProjectTable& projects, const RecentChanges& changes, Step* step) {
    if (question_.resume_after) {
      position_ = *question_.resume_after;
      phase_ = Phase::kFollow;
    } else if (question_.starting_time) {
      position_ = projects.VersionBefore(*question_.starting_time);
      phase_ = Phase::kFollow;
      // Something that was trimmed may be later than that.
      if (position_ != 0 && position_ == projects.TrimmedVersion()) Reset(changes, step);
    } else {
      BeginSnapshot(changes);
    }
  }

  void Reset(const RecentChanges& changes, Step* step) {
    WatchMessage reset;
    reset.response().set_is_hard_reset(true);
    step->frames.push_back(reset.Take());
    BeginSnapshot(changes);
  }

  void BeginSnapshot(const RecentChanges& changes) {
    phase_ = Phase::kSnapshot;
    position_ = changes.version();
    store::ProjectRange range{.most = kMostLookedAt};
    question_.projects.Narrow(&range);
    snapshot_.emplace(std::move(range));
    parts_.clear();
    consistent_at_ = 0;
    is_told_ = false;
    message_ = {};
  }

  void ReadSnapshot(ProjectTable& projects, const RecentChanges& changes, StepEnd end, Step* step) {
    const SteppedScan::Result result = snapshot_->Step(projects, end, [&](const Project& project) {
      if (message_.IsFull(question_.chunk)) return false;
      if (question_.projects.Matches(project)) AddCurrent(project);
      return true;
    });
    consistent_at_ = changes.version();
    if (result == SteppedScan::Result::kStopped) step->frames.push_back(message_.Take());
    NoteRead(consistent_at_);
    if (result != SteppedScan::Result::kOver) return;
    phase_ = Phase::kFollow;
    Follow(projects, changes, end, step);
  }

  void NoteRead(int64_t version) {
    const std::optional<store::ProjectPlace>& read = snapshot_->next().from;
    if (!read || (!parts_.empty() && parts_.back().last_id == read->id)) return;
    if (!parts_.empty() && parts_.back().version == version) {
      parts_.back().last_id = read->id;
    } else {
      parts_.push_back({read->id, version});
    }
  }

  // Whether the snapshot had it already.
  bool IsKnown(const store::ProjectChange& change) const {
    if (change.version > consistent_at_) return false;
    const auto part = std::lower_bound(
        parts_.begin(), parts_.end(), store::ProjectId(change.latest()),
        [](const ReadPart& one, const std::string& id) { return one.last_id < id; });
    // Behind the last part all was read at the end.
    return change.version <= (part == parts_.end() ? consistent_at_ : part->version);
  }

  void Follow(ProjectTable& projects, const RecentChanges& changes, StepEnd end, Step* step) {
    const std::vector<SharedChange> news = changes.After(projects, position_, kMostLookedAt);
    if (news.empty()) position_ = changes.version();
    size_t looked_at = 0;
    for (const SharedChange& change : news) {
      if (message_.IsFull(question_.chunk) || (looked_at++ > 0 && end.HasCome())) break;
      position_ = change->version;
      if (!IsKnown(*change)) AddChange(*change);
    }
    if (position_ >= consistent_at_) parts_.clear();
    const bool is_last = position_ == changes.version();
    const bool is_due =
        !message_.empty() || position_ - told_at_ >= kTokenDistance || (is_last && !is_told_);
    if (is_due && (is_last || message_.IsFull(question_.chunk) || is_told_)) Tell(step);
    step->is_idle = is_last;
  }

  // Every change up to `position_` is in it: that is a state that the projects had, unless a part
  // of the snapshot is of later.
  void Tell(Step* step) {
    if (position_ >= consistent_at_) {
      message_.response().set_is_current(true);
      message_.response().set_resume_token(SealResumeToken(position_, question_.projects, tokens_));
      is_told_ = true;
      told_at_ = position_;
    }
    step->frames.push_back(message_.Take());
  }

  void AddCurrent(const Project& project) {
    ChangeMessage change;
    *change.mutable_current()->mutable_project() = question_.projects.mask.Project(project);
    message_.Add(std::move(change));
  }

  void AddChange(const store::ProjectChange& change) {
    const bool was = change.before && question_.projects.Matches(*change.before);
    const bool is = change.after && question_.projects.Matches(*change.after);
    if (is && (!was || question_.projects.mask.Changed(*change.before, *change.after))) {
      AddCurrent(*change.after);
    } else if (was && !is) {
      ChangeMessage removed;
      removed.mutable_removed()->set_name(change.before->name());
      message_.Add(std::move(removed));
    }
  }

  const WatchQuestion question_;
  const resource::PageTokens tokens_;  // its own: a step may outlast whose they are
  Phase phase_ = Phase::kBegin;
  // The client has heard of every change up to here, or will with the message.
  int64_t position_ = 0;
  WatchMessage message_;
  bool is_told_ = false;  // that it is in sync, since the last snapshot
  int64_t told_at_ = 0;
  // Of the snapshot.
  std::optional<SteppedScan> snapshot_;
  std::vector<ReadPart> parts_;
  int64_t consistent_at_ = 0;  // its last part
};

}  // namespace

std::unique_ptr<ProjectWatch> MakeStatelessWatch(WatchQuestion question,
                                                 const resource::PageTokens& tokens) {
  return std::make_unique<StatelessWatch>(std::move(question), tokens);
}

}  // namespace culvert::broker
