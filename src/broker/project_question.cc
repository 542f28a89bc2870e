#include "broker/project_question.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "broker/filter_bounds.h"
#include "broker/project_place.h"

namespace culvert::broker {
namespace {

using ntt::proxies::v1::ListProjectsRequest;
using resource::PageCursor;
using store::Project;
using store::ProjectIndex;

absl::StatusOr<size_t> PageSize(int32_t asked) {
  if (asked < 0) return absl::InvalidArgumentError("page_size is below 0");
  return static_cast<size_t>(asked == 0 ? kDefaultPage : std::min(asked, kMostOnPage));
}

}  // namespace

absl::StatusOr<ProjectQuestion> ProjectQuestion::Parse(const ListProjectsRequest& request,
                                                       ProjectScope scope,
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
                           page_size,         std::nullopt,        request.include_paging_info(),
                           std::move(scope)};
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
  return order_by.fields().front().direction == resource::SortDirection::kDescending;
}

std::string ProjectQuestion::KeyOf(const Project& project) const {
  const std::optional<ProjectIndex> index = Index();
  return index ? PlaceKey(*index, project) : order_by.Key(project);
}

bool ProjectQuestion::Precedes(const std::string& key, const std::string& other) const {
  return Index() && IsIndexReversed() ? other < key : key < other;
}

void ProjectQuestion::Narrow(store::ProjectRange* range) const {
  broker::Narrow(filter, range);
  if (scope.only && range->index == ProjectIndex::kName) range->ids = {{*scope.only}};
}

bool ProjectQuestion::IsLeft() const {
  return cursor && cursor->direction == PageCursor::Direction::kLeft;
}

bool ProjectQuestion::IsAhead(const std::string& key) const {
  if (!cursor) return true;
  if (key == cursor->sort_key) return cursor->border == PageCursor::Border::kIncluded;
  return IsReadBefore(cursor->sort_key, key);
}

PageLinks LinksOf(const ProjectQuestion& question, const std::optional<std::string>& last,
                  const resource::PageTokens& tokens) {
  const resource::PageBinding binding = question.Binding();
  const bool is_left = question.IsLeft();
  std::string ahead;
  if (last) {
    const auto direction = is_left ? PageCursor::Direction::kLeft : PageCursor::Direction::kRight;
    ahead = tokens.Seal({direction, PageCursor::Border::kExcluded, *last}, binding);
  }
  std::string behind = question.cursor ? tokens.Seal(question.cursor->Reversed(), binding) : "";
  if (is_left) std::swap(ahead, behind);
  return {std::move(behind), std::move(ahead)};
}

}  // namespace culvert::broker
