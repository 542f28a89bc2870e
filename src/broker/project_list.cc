#include "broker/project_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"
#include "broker/project_place.h"

namespace culvert::broker {
namespace {

using ntt::proxies::v1::ListProjectsRequest;
using resource::PageCursor;
using resource::SortDirection;
using store::Project;
using store::ProjectIndex;
using store::ProjectPlace;
using store::ProjectRange;
using store::ProjectTable;

// Projects that one step looks at.
constexpr size_t kStep = 2000;

absl::StatusOr<size_t> PageSize(int32_t asked) {
  if (asked < 0) return absl::InvalidArgumentError("page_size is below 0");
  return static_cast<size_t>(asked == 0 ? kDefaultPage : std::min(asked, kMostOnPage));
}

// From an end of the order, or the page token's border, on.
class IndexedSearch final : public ListSearch {
 public:
  IndexedSearch(ProjectQuestion question, const resource::PageTokens& tokens, MaySeeProject may_see,
                ProjectRange range)
      : ListSearch(std::move(question), tokens, std::move(may_see)),
        begin_(range),
        next_(std::move(range)) {
    next_.most = kStep;
  }

  absl::StatusOr<bool> Step(ProjectTable& projects) override {
    size_t looked_at = 0;
    std::optional<Project> last;
    projects.Scan(next_, [&](Project project) {
      ++looked_at;
      last = project;
      if (!Matches(project)) return true;
      is_more_ = IsPage(found_.size(), bytes_);
      if (is_more_) return false;
      std::string key = question_.KeyOf(project);
      question_.mask.Trim(&project);
      bytes_ += project.ByteSizeLong();
      found_.push_back({std::move(key), std::move(project)});
      return true;
    });
    if (!is_more_ && looked_at == next_.most) {
      next_.from = PlaceOfKey(next_.index, PlaceKey(next_.index, *last));
      next_.including_from = false;
      return false;
    }
    if (question_.include_paging_info) CountAll(projects);
    MakeAnswer(std::move(found_), is_more_);
    return true;
  }

 private:
  // Without a filter: all that there are.
  void CountAll(ProjectTable& projects) {
    answer_.set_total_results_count(static_cast<int32_t>(projects.Count()));
    int64_t before = projects.CountBefore(begin_);
    if (is_left()) {
      before = projects.Count() - before - static_cast<int64_t>(found_.size());
    }
    answer_.set_current_offset(static_cast<int32_t>(before));
  }

  const ProjectRange begin_;
  ProjectRange next_;
  std::vector<Found> found_;
  size_t bytes_ = 0;  // of them
  bool is_more_ = false;
};

// Looks at all projects, and keeps those of the page.
class FullSearch final : public ListSearch {
 public:
  using ListSearch::ListSearch;

  absl::StatusOr<bool> Step(ProjectTable& projects) override {
    size_t looked_at = 0;
    projects.Scan(next_, [&](Project project) {
      ++looked_at;
      last_ = store::ProjectId(project);
      if (Matches(project)) Take(std::move(project));
      return true;
    });
    if (looked_at == next_.most) {
      next_.from = ProjectPlace{{}, last_};
      return false;
    }
    if (question_.include_paging_info) {
      answer_.set_total_results_count(total_);
      const auto kept = static_cast<int32_t>(heap_.size());
      answer_.set_current_offset(is_left() ? total_ - beyond_ - kept : beyond_);
    }
    std::sort_heap(heap_.begin(), heap_.end(), Sooner());
    MakeAnswer(std::move(heap_), is_more_);
    return true;
  }

 private:
  // Whether one is read before another.
  std::function<bool(const Found&, const Found&)> Sooner() const {
    return [this](const Found& a, const Found& b) {
      return is_left() ? question_.Precedes(b.key, a.key) : question_.Precedes(a.key, b.key);
    };
  }

  // On the page's side of the token's border.
  bool IsAhead(const std::string& key) const {
    if (!question_.cursor) return true;
    const std::string& border = question_.cursor->sort_key;
    if (key == border) return question_.cursor->border == PageCursor::Border::kIncluded;
    return is_left() ? question_.Precedes(key, border) : question_.Precedes(border, key);
  }

  void Take(Project project) {
    ++total_;
    Found found{question_.KeyOf(project), std::move(project)};
    if (!IsAhead(found.key)) {
      ++beyond_;
      return;
    }
    question_.mask.Trim(&found.project);
    bytes_ += found.project.ByteSizeLong();
    heap_.push_back(std::move(found));
    std::push_heap(heap_.begin(), heap_.end(), Sooner());
    // The latest goes where the page is full without it.
    while (IsPage(heap_.size() - 1, bytes_ - heap_.front().project.ByteSizeLong())) {
      bytes_ -= heap_.front().project.ByteSizeLong();
      std::pop_heap(heap_.begin(), heap_.end(), Sooner());
      heap_.pop_back();
      is_more_ = true;
    }
  }

  ProjectRange next_{.most = kStep};
  std::string last_;
  std::vector<Found> heap_;  // the latest first
  size_t bytes_ = 0;         // of them
  bool is_more_ = false;
  int32_t total_ = 0;
  int32_t beyond_ = 0;  // the border
};

}  // namespace

absl::StatusOr<ProjectQuestion> ProjectQuestion::Parse(const ListProjectsRequest& request,
                                                       const resource::PageTokens& tokens) {
  const google::protobuf::Descriptor& type = *Project::descriptor();
  CULVERT_ASSIGN_OR_RETURN(const size_t page_size, PageSize(request.page_size()));
  CULVERT_ASSIGN_OR_RETURN(resource::Filter filter,
                           resource::Filter::Parse(request.filter(), type));
  CULVERT_ASSIGN_OR_RETURN(resource::OrderBy order_by,
                           resource::OrderBy::Parse(request.order_by(), type));
  CULVERT_ASSIGN_OR_RETURN(resource::Mask mask,
                           resource::Mask::Parse(request.field_mask(), request.view(), type));
  ProjectQuestion question{std::move(filter), std::move(order_by), std::move(mask),
                           page_size,         std::nullopt,        request.include_paging_info()};
  if (!request.page_token().empty()) {
    CULVERT_ASSIGN_OR_RETURN(question.cursor,
                             tokens.Open(request.page_token(), question.Binding()));
  }
  return question;
}

resource::PageBinding ProjectQuestion::Binding() const {
  return {"ListProjects", filter.ToString(), order_by.ToString()};
}

std::optional<ProjectIndex> ProjectQuestion::Index() const {
  const std::vector<resource::SortField>& fields = order_by.fields();
  if (fields.size() > 2 || fields.back().path.ToString() != "name") return std::nullopt;
  if (fields.front().direction != fields.back().direction) return std::nullopt;
  const std::string& first = fields.front().path.ToString();
  if (first == "name" && fields.size() == 1) return ProjectIndex::kName;
  if (first == "metadata.create_time") return ProjectIndex::kCreateTime;
  if (first == "metadata.update_time") return ProjectIndex::kUpdateTime;
  return std::nullopt;
}

bool ProjectQuestion::IsIndexReversed() const {
  return order_by.fields().front().direction == SortDirection::kDescending;
}

std::string ProjectQuestion::KeyOf(const Project& project) const {
  const std::optional<ProjectIndex> index = Index();
  return index ? PlaceKey(*index, project) : order_by.Key(project);
}

bool ProjectQuestion::Precedes(const std::string& key, const std::string& other) const {
  return Index() && IsIndexReversed() ? other < key : key < other;
}

ListSearch::ListSearch(ProjectQuestion question, const resource::PageTokens& tokens,
                       MaySeeProject may_see)
    : question_(std::move(question)), tokens_(tokens), may_see_(std::move(may_see)) {}

std::shared_ptr<ListSearch> ListSearch::Make(ProjectQuestion question,
                                             const resource::PageTokens& tokens,
                                             MaySeeProject may_see) {
  const std::optional<ProjectIndex> index = question.Index();
  // To count the matches of a filter all must be looked at.
  const bool counts =
      question.include_paging_info && (!question.filter.ToString().empty() || may_see != nullptr);
  if (!index || counts) {
    return std::make_shared<FullSearch>(std::move(question), tokens, std::move(may_see));
  }
  ProjectRange range{.index = *index, .backwards = question.IsIndexReversed()};
  if (question.cursor) {
    range.from = PlaceOfKey(*index, question.cursor->sort_key);
    range.including_from = question.cursor->border == PageCursor::Border::kIncluded;
    if (question.cursor->direction == PageCursor::Direction::kLeft) {
      range.backwards = !range.backwards;
    }
  }
  return std::make_shared<IndexedSearch>(std::move(question), tokens, std::move(may_see),
                                         std::move(range));
}

bool ListSearch::is_left() const {
  return question_.cursor && question_.cursor->direction == PageCursor::Direction::kLeft;
}

bool ListSearch::Matches(const Project& project) const {
  return (may_see_ == nullptr || may_see_(store::ProjectId(project))) &&
         question_.filter.Matches(project);
}

void ListSearch::MakeAnswer(std::vector<Found> found, bool is_more) {
  const auto token = [&](PageCursor::Direction direction, PageCursor::Border border,
                         const std::string& key) {
    return tokens_.Seal({direction, border, key}, question_.Binding());
  };
  std::string ahead;
  if (is_more) {
    ahead = token(is_left() ? PageCursor::Direction::kLeft : PageCursor::Direction::kRight,
                  PageCursor::Border::kExcluded, found.back().key);
  }
  const std::string behind =
      question_.cursor ? tokens_.Seal(question_.cursor->Reversed(), question_.Binding()) : "";
  if (is_left()) std::reverse(found.begin(), found.end());
  answer_.set_next_page_token(is_left() ? behind : ahead);
  answer_.set_prev_page_token(is_left() ? ahead : behind);
  for (Found& one : found) *answer_.add_projects() = std::move(one.project);
}

}  // namespace culvert::broker
