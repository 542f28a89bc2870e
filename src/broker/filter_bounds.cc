#include "broker/filter_bounds.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace culvert::broker {
namespace {

using resource::Comparator;
using resource::Comparison;
using resource::FilterNode;
using store::ProjectIndex;
using store::ProjectRange;

constexpr std::string_view kPrefix = "projects/";
// Behind every byte that an id may have.
constexpr char kBehindAll = '\x7f';
// What a WallTime can hold is about the years 1678 to 2262.
constexpr int64_t kMostSeconds = 9'000'000'000;

std::optional<ProjectIndex> IndexOf(const Comparison& comparison) {
  const std::string& path = comparison.path.ToString();
  if (path == "name") return ProjectIndex::kName;
  if (path == "metadata.create_time") return ProjectIndex::kCreateTime;
  if (path == "metadata.update_time") return ProjectIndex::kUpdateTime;
  return std::nullopt;
}

// Every match meets them; of the ones on names also LIKE.
std::vector<Comparison> ConditionsOf(const resource::Filter& filter) {
  std::vector<Comparison> conditions = filter.conjuncts();
  const auto add_like = [&conditions](const FilterNode& node) {
    if (node.comparison && node.comparison->comparator == Comparator::kLike) {
      conditions.push_back(*node.comparison);
    }
  };
  const FilterNode& root = filter.root();
  add_like(root);
  if (root.kind == FilterNode::Kind::kAnd) {
    std::for_each(root.children.begin(), root.children.end(), add_like);
  }
  return conditions;
}

void RaiseLeast(std::string id, ProjectRange* range) {
  if (!range->least_id || *range->least_id < id) range->least_id = std::move(id);
}

void LowerGreatest(std::string id, ProjectRange* range) {
  if (!range->greatest_id || *range->greatest_id > id) range->greatest_id = std::move(id);
}

// The ids that a condition with = or IN leaves; those of other kinds of resource match nothing.
std::vector<std::string> IdsIn(const Comparison& comparison) {
  std::vector<std::string> ids;
  for (const resource::Operand& operand : comparison.operands) {
    const auto& name = std::get<std::string>(operand.value);
    if (name.starts_with(kPrefix)) ids.push_back(name.substr(kPrefix.size()));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

void NarrowIds(std::vector<std::string> ids, ProjectRange* range) {
  if (!range->ids) {
    range->ids = std::move(ids);
    return;
  }
  std::vector<std::string> both;
  std::set_intersection(ids.begin(), ids.end(), range->ids->begin(), range->ids->end(),
                        std::back_inserter(both));
  range->ids = std::move(both);
}

void NarrowByName(const Comparison& comparison, ProjectRange* range) {
  using enum Comparator;
  if (comparison.comparator == kEqual || comparison.comparator == kIn) {
    NarrowIds(IdsIn(comparison), range);
    return;
  }
  const auto* const value = std::get_if<std::string>(&comparison.operands.front().value);
  if (value == nullptr || !value->starts_with(kPrefix)) return;
  std::string id = value->substr(kPrefix.size());
  switch (comparison.comparator) {
    case kLess:
    case kLessOrEqual:
      LowerGreatest(std::move(id), range);
      return;
    case kGreater:
    case kGreaterOrEqual:
      RaiseLeast(std::move(id), range);
      return;
    case kLike:
      id.erase(std::min(id.find_first_of("%_\\"), id.size()));
      if (id.empty()) return;
      RaiseLeast(id, range);
      LowerGreatest(id + kBehindAll, range);
      return;
    default:
      return;
  }
}

void NarrowByTime(const Comparison& comparison, ProjectRange* range) {
  using enum Comparator;
  const auto* const time = std::get_if<resource::Timestamp>(&comparison.operands.front().value);
  if (time == nullptr || time->seconds > kMostSeconds || time->seconds < -kMostSeconds) return;
  // The index has whole microseconds.
  const WallTime floor =
      WallTime(std::chrono::seconds(time->seconds)) + std::chrono::microseconds(time->nanos / 1000);
  const bool is_least = comparison.comparator == kEqual || comparison.comparator == kGreater ||
                        comparison.comparator == kGreaterOrEqual;
  const bool is_most = comparison.comparator == kEqual || comparison.comparator == kLess ||
                       comparison.comparator == kLessOrEqual;
  if (is_least && (!range->since || *range->since < floor)) range->since = floor;
  const WallTime ceiling = floor + std::chrono::microseconds(1);
  if (is_most && (!range->until || *range->until > ceiling)) range->until = ceiling;
}

}  // namespace

ProjectIndex IndexFor(const resource::Filter& filter) {
  ProjectRange by_name{.index = ProjectIndex::kName};
  Narrow(filter, &by_name);
  if (by_name.ids || by_name.least_id || by_name.greatest_id) return ProjectIndex::kName;
  ProjectRange by_creation{.index = ProjectIndex::kCreateTime};
  Narrow(filter, &by_creation);
  return by_creation.since || by_creation.until ? ProjectIndex::kCreateTime : ProjectIndex::kName;
}

void Narrow(const resource::Filter& filter, ProjectRange* range) {
  for (const Comparison& comparison : ConditionsOf(filter)) {
    if (IndexOf(comparison) != range->index) continue;
    if (range->index == ProjectIndex::kName) {
      NarrowByName(comparison, range);
    } else {
      NarrowByTime(comparison, range);
    }
  }
}

}  // namespace culvert::broker
