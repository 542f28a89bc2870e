#include "broker/project_search.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "broker/filter_bounds.h"
#include "broker/project_place.h"
#include "broker/stepped_scan.h"

namespace culvert::broker {
namespace {

using resource::PageCursor;
using Result = SteppedScan::Result;
using store::Project;
using store::ProjectIndex;
using store::ProjectRange;
using store::ProjectTable;

// Projects that one step looks at.
constexpr size_t kStep = 2000;

// From an end of the order, or the page token's border, on.
class IndexedSearch final : public PageSearch {
 public:
  IndexedSearch(ProjectQuestion question, ProjectRange range)
      : PageSearch(std::move(question)), begin_(range), scan_(std::move(range)) {}

  absl::StatusOr<bool> Step(ProjectTable& projects, StepEnd end) override {
    const Result result = scan_.Step(projects, end, [&](Project project) {
      if (!question_.Matches(project)) return true;
      page_.is_more = IsPage(page_.projects.size(), bytes_);
      if (page_.is_more) return false;
      std::string key = question_.KeyOf(project);
      RemoveIfMoved(store::ProjectId(project));
      question_.mask.Trim(&project);
      bytes_ += project.ByteSizeLong();
      page_.projects.push_back({std::move(key), std::move(project)});
      return true;
    });
    is_first_step_ = false;
    if (result == Result::kMore) return false;
    if (question_.include_paging_info) CountAll(projects);
    return true;
  }

 private:
  // A project that is changed between two steps may be behind in the order of changes when it was
  // found already.
  void RemoveIfMoved(const std::string& id) {
    if (is_first_step_ || scan_.index() != ProjectIndex::kUpdateTime) return;
    std::erase_if(page_.projects, [&](const FoundProject& found) {
      if (PlaceOfKey(scan_.index(), found.key)->id != id) return false;
      bytes_ -= found.project.ByteSizeLong();
      return true;
    });
  }

  // Without a filter: all that there are.
  void CountAll(ProjectTable& projects) {
    const int64_t total = projects.Count();
    int64_t before = projects.CountBefore(begin_);
    if (question_.IsLeft()) before = total - before - static_cast<int64_t>(page_.projects.size());
    page_.total = static_cast<int32_t>(total);
    page_.offset = static_cast<int32_t>(before);
  }

  const ProjectRange begin_;
  SteppedScan scan_;
  bool is_first_step_ = true;
  size_t bytes_ = 0;  // of what was found
};

// Looks at all projects that an index leaves, and keeps those of the page.
class FullSearch final : public PageSearch {
 public:
  FullSearch(ProjectQuestion question, ProjectRange range)
      : PageSearch(std::move(question)), scan_(std::move(range)) {}

  absl::StatusOr<bool> Step(ProjectTable& projects, StepEnd end) override {
    const Result result = scan_.Step(projects, end, [&](Project project) {
      if (question_.Matches(project)) Take(std::move(project));
      return true;
    });
    if (result == Result::kMore) return false;
    if (question_.include_paging_info) {
      const auto kept = static_cast<int32_t>(heap_.size());
      page_.total = total_;
      page_.offset = question_.IsLeft() ? total_ - beyond_ - kept : beyond_;
    }
    std::sort_heap(heap_.begin(), heap_.end(), Sooner());
    page_.projects = std::move(heap_);
    return true;
  }

 private:
  // Whether one is read before another.
  std::function<bool(const FoundProject&, const FoundProject&)> Sooner() const {
    return [this](const FoundProject& a, const FoundProject& b) {
      return question_.IsReadBefore(a.key, b.key);
    };
  }

  void Take(Project project) {
    ++total_;
    FoundProject found{question_.KeyOf(project), std::move(project)};
    if (!question_.IsAhead(found.key)) {
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
      page_.is_more = true;
    }
  }

  SteppedScan scan_;
  std::vector<FoundProject> heap_;  // the latest first
  size_t bytes_ = 0;                // of them
  int32_t total_ = 0;
  int32_t beyond_ = 0;  // the border
};

}  // namespace

std::shared_ptr<PageSearch> PageSearch::Make(ProjectQuestion question) {
  const auto range_in = [&question](ProjectIndex index) {
    ProjectRange range{.index = index, .most = kStep};
    question.Narrow(&range);
    return range;
  };
  const std::optional<ProjectIndex> index = question.Index();
  // To count the matches of a filter all must be looked at.
  const bool counts =
      question.include_paging_info && (!question.filter.ToString().empty() || question.scope.only);
  ProjectRange range = range_in(ProjectIndex::kName);
  if (range.ids || !index || counts) {
    if (!range.ids) range = range_in(IndexFor(question.filter));
    return std::make_shared<FullSearch>(std::move(question), std::move(range));
  }
  range = range_in(*index);
  range.backwards = question.IsIndexReversed() != question.IsLeft();
  if (question.cursor) {
    range.from = PlaceOfKey(*index, question.cursor->sort_key);
    range.including_from = question.cursor->border == PageCursor::Border::kIncluded;
  }
  return std::make_shared<IndexedSearch>(std::move(question), std::move(range));
}

}  // namespace culvert::broker
