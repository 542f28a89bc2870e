#include "store/project_ranges.h"

#include <chrono>

#include "base/check.h"

namespace culvert::store {

int64_t ToUnixMicros(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

const char* TimeColumn(ProjectIndex index) {
  switch (index) {
    case ProjectIndex::kName:
      return nullptr;
    case ProjectIndex::kCreateTime:
      return "created_us";
    case ProjectIndex::kUpdateTime:
      return "updated_us";
  }
  CULVERT_CHECK(false);
}

void AddFrom(const ProjectRange& range, std::string_view comparison, Conditions* conditions) {
  if (!range.from) return;
  if (const char* time = TimeColumn(range.index)) {
    conditions->Add(fmt::format("({}, name) {} (?, ?)", time, comparison),
                    ToUnixMicros(range.from->time));
    conditions->AddValue(range.from->id);
  } else {
    conditions->Add(fmt::format("name {} ?", comparison), range.from->id);
  }
}

void AddBounds(const ProjectRange& range, Conditions* conditions) {
  if (const char* time = TimeColumn(range.index)) {
    if (range.since) conditions->Add(fmt::format("{} >= ?", time), ToUnixMicros(*range.since));
    if (range.until) conditions->Add(fmt::format("{} <= ?", time), ToUnixMicros(*range.until));
    return;
  }
  if (range.least_id) conditions->Add("name >= ?", *range.least_id);
  if (range.greatest_id) conditions->Add("name <= ?", *range.greatest_id);
  if (!range.ids) return;
  const std::vector<std::string_view> marks(range.ids->size(), "?");
  conditions->Add(fmt::format("name IN ({})", fmt::join(marks, ", ")));
  for (const std::string& id : *range.ids) conditions->AddValue(id);
}

}  // namespace culvert::store
