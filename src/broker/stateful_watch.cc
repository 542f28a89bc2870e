// Watches of a page.
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "broker/project_search.h"
#include "broker/project_watch.h"
#include "broker/watch_message.h"
#include "broker/watch_view.h"

namespace culvert::broker {
namespace {

using store::Project;
using store::ProjectTable;

// That one step looks at.
constexpr size_t kMostChanges = 250;

class StatefulWatch final : public ProjectWatch {
 public:
  StatefulWatch(WatchQuestion question, const resource::PageTokens& tokens)
      : question_(std::move(question)), tokens_(tokens), view_(question_.projects) {}

  absl::StatusOr<Step> Advance(ProjectTable& projects, const RecentChanges& changes,
                               StepEnd end) override {
    if (state_ == State::kFollowing && MustRead(changes)) state_ = State::kBegin;
    if (state_ == State::kBegin) {
      search_ = PageSearch::Make(view_.Query());
      position_ = changes.version();
      state_ = State::kReading;
    }
    if (state_ == State::kReading) {
      CULVERT_ASSIGN_OR_RETURN(const bool is_over, search_->Step(projects, end));
      if (!is_over) return Step();
      view_.Reset(std::exchange(search_, nullptr)->TakePage());
      state_ = State::kFollowing;
      is_touched_ = true;
    }
    // Also of what was just read: its steps saw different states, and that makes one of them.
    if (!CatchUp(projects, changes)) return Step();
    Step step;
    step.is_idle = true;
    if (is_touched_) CULVERT_RETURN_IF_ERROR(Tell(projects, &step));
    return step;
  }

 private:
  enum class State { kBegin, kReading, kFollowing };

  bool MustRead(const RecentChanges& changes) const {
    return view_.MustBeRead() || !changes.HasAllAfter(position_);
  }

  // Whether the view is what there is now.
  bool CatchUp(ProjectTable& projects, const RecentChanges& changes) {
    if (!changes.HasAllAfter(position_)) return false;
    const std::vector<SharedChange> news = changes.After(projects, position_, kMostChanges);
    if (view_.Apply(news)) is_touched_ = true;
    position_ = news.empty() ? changes.version() : news.back()->version;
    return position_ == changes.version() && !view_.MustBeRead();
  }

  absl::Status Tell(ProjectTable& projects, Step* step) {
    is_touched_ = false;
    std::vector<SharedItem> page = view_.Page();
    std::optional<std::string> last = view_.LastKey();
    WatchMessage message;
    for (const ViewChange& change : ChangesBetween(shown_, page)) {
      if (message.IsFull(question_.chunk)) step->frames.push_back(message.Take());
      CULVERT_ASSIGN_OR_RETURN(ChangeMessage described, Describe(projects, change));
      message.Add(std::move(described));
    }
    view_.ForgetBodies();
    const bool has_moved = !is_told_ || last != last_;
    if (message.empty() && !has_moved) return absl::OkStatus();
    message.response().set_is_current(true);
    if (has_moved) {
      const PageLinks links = LinksOf(question_.projects, last, tokens_);
      message.response().mutable_page_token_change()->set_prev_page_token(links.prev);
      message.response().mutable_page_token_change()->set_next_page_token(links.next);
    }
    step->frames.push_back(message.Take());
    is_told_ = true;
    shown_ = std::move(page);
    last_ = std::move(last);
    return absl::OkStatus();
  }

  // The project as it is in this transaction, which is the one that the page is of.
  absl::StatusOr<ChangeMessage> Describe(ProjectTable& projects, const ViewChange& change) {
    ChangeMessage described;
    if (change.kind == ViewChange::Kind::kRemoved) {
      described.mutable_removed()->set_name(change.name);
      described.mutable_removed()->set_view_index(static_cast<int32_t>(*change.before));
      return described;
    }
    std::optional<Project> project = view_.TakeBody(change.name);
    if (!project) {
      project = projects.Find(store::ProjectId(change.name));
      if (!project) return absl::InternalError("the log of changes is not that of the projects");
      question_.projects.mask.Trim(&*project);
    }
    if (change.kind == ViewChange::Kind::kAdded) {
      *described.mutable_added()->mutable_project() = *std::move(project);
      described.mutable_added()->set_view_index(static_cast<int32_t>(*change.after));
    } else {
      ChangeMessage::Modified& modified = *described.mutable_modified();
      modified.set_name(change.name);
      *modified.mutable_project() = *std::move(project);
      modified.set_previous_view_index(static_cast<int32_t>(*change.before));
      modified.set_view_index(static_cast<int32_t>(*change.after));
    }
    return described;
  }

  const WatchQuestion question_;
  const resource::PageTokens tokens_;  // its own: a step may outlast whose they are
  WatchView view_;
  State state_ = State::kBegin;
  bool is_touched_ = false;  // since the client was told
  int64_t position_ = 0;     // the view has every change up to here
  std::shared_ptr<PageSearch> search_;
  // What the client has.
  bool is_told_ = false;
  std::vector<SharedItem> shown_;
  std::optional<std::string> last_;  // WatchView::LastKey
};

}  // namespace

std::unique_ptr<ProjectWatch> MakeStatefulWatch(WatchQuestion question,
                                                const resource::PageTokens& tokens) {
  return std::make_unique<StatefulWatch>(std::move(question), tokens);
}

}  // namespace culvert::broker
