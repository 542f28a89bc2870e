#include "forwarder/project_table.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/log.h"
#include "base/wall_time.h"

namespace culvert::forwarder {
namespace {

using google::protobuf::util::TimeUtil;
using ntt::proxies::v1::Project;

constexpr const char* kNone = "<none>";
constexpr size_t kMostCellBytes = 4096;

struct Unit {
  char letter;
  int64_t seconds;
};

// In `large` units, and what is left in `small` ones.
std::string InUnits(int64_t seconds, Unit large, Unit small) {
  const int64_t rest = seconds % large.seconds / small.seconds;
  std::string text = fmt::format("{}{}", seconds / large.seconds, large.letter);
  if (rest > 0) text += fmt::format("{}{}", rest, small.letter);
  return text;
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text.empty() ? kNone : Printable(text, kMostCellBytes);
}

std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  std::string text;
  for (const auto& [key, value] : sorted) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text.empty() ? kNone : Printable(text, kMostCellBytes);
}

std::string TimestampText(const google::protobuf::Timestamp& time) {
  if (time.seconds() < TimeUtil::kTimestampMinSeconds ||
      time.seconds() > TimeUtil::kTimestampMaxSeconds) {
    return "<invalid>";
  }
  return TimeUtil::ToString(TimeUtil::SecondsToTimestamp(time.seconds()));
}

std::string OrNone(bool has, const std::string& text) { return has ? text : kNone; }

}  // namespace

std::string AgeText(int64_t seconds) {
  constexpr Unit kSecond = {'s', 1};
  constexpr Unit kMinute = {'m', 60};
  constexpr Unit kHour = {'h', 3600};
  constexpr Unit kDay = {'d', 86400};
  constexpr Unit kYear = {'y', int64_t{365} * 86400};
  seconds = std::max<int64_t>(seconds, 0);
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 600) return InUnits(seconds, kMinute, kSecond);
  if (seconds < 3 * kHour.seconds) return fmt::format("{}m", seconds / kMinute.seconds);
  if (seconds < 8 * kHour.seconds) return InUnits(seconds, kHour, kMinute);
  if (seconds < 2 * kDay.seconds) return fmt::format("{}h", seconds / kHour.seconds);
  if (seconds < 8 * kDay.seconds) return InUnits(seconds, kDay, kHour);
  if (seconds < 2 * kYear.seconds) return fmt::format("{}d", seconds / kDay.seconds);
  if (seconds < 8 * kYear.seconds) return InUnits(seconds, kYear, kDay);
  return fmt::format("{}y", seconds / kYear.seconds);
}

ProjectTable::Cells ProjectTable::Header() const {
  Cells cells;
  if (options_.events) cells.emplace_back("EVENT");
  cells.insert(cells.end(), {"NAME", "GENERATION", "AGE"});
  if (options_.wide) cells.insert(cells.end(), {"CREATED", "UPDATED", "UUID", "REGIONS"});
  cells.emplace_back("LABELS");
  return cells;
}

ProjectTable::Cells ProjectTable::CellsOf(const Row& row) const {
  const Project& project = *row.project;
  const goten::types::Meta& meta = project.metadata();
  Cells cells;
  if (options_.events) cells.push_back(row.event);
  cells.push_back(Printable(project.name()));
  cells.push_back(OrNone(project.has_metadata(), std::to_string(meta.generation())));
  cells.push_back(
      OrNone(meta.has_create_time(), AgeText(options_.now - meta.create_time().seconds())));
  if (options_.wide) {
    cells.push_back(OrNone(meta.has_create_time(), TimestampText(meta.create_time())));
    cells.push_back(OrNone(meta.has_update_time(), TimestampText(meta.update_time())));
    cells.push_back(OrNone(!meta.uuid().empty(), Printable(meta.uuid())));
    cells.push_back(Joined(project.multi_region_policy().enabled_regions()));
  }
  cells.push_back(LabelsText(meta.labels()));
  return cells;
}

std::string ProjectTable::Line(const Cells& cells) const {
  std::string line;
  for (size_t i = 0; i + 1 < cells.size(); ++i) {
    line += fmt::format("{:<{}}   ", cells[i], widths_[i]);
  }
  return line + cells.back() + "\n";
}

std::string ProjectTable::Lines(const std::vector<Row>& rows) {
  const bool is_first = widths_.empty();
  std::vector<Cells> lines;
  if (is_first) lines.push_back(Header());
  for (const Row& row : rows) lines.push_back(CellsOf(row));
  if (is_first) {
    widths_.resize(lines.front().size());
    for (const Cells& cells : lines) {
      for (size_t i = 0; i < cells.size(); ++i) {
        widths_[i] = std::max(widths_[i], cells[i].size());
      }
    }
    // DELETED and MODIFIED are yet to come.
    if (options_.events) widths_[0] = std::string_view("MODIFIED").size();
    if (!options_.headers) lines.erase(lines.begin());
  }
  std::string text;
  for (const Cells& cells : lines) text += Line(cells);
  return text;
}

}  // namespace culvert::forwarder
