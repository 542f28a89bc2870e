#include "store/quota_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "store/database.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

using OptionalLimit = std::optional<uint64_t>;

OptionalLimit LimitAt(const SQLite::Statement& row, int column) {
  const SQLite::Column value = row.getColumn(column);
  if (value.isNull()) return std::nullopt;
  return static_cast<uint64_t>(value.getInt64());
}

void BindLimit(SQLite::Statement& statement, int index, const OptionalLimit& limit) {
  if (limit) {
    statement.bind(index, static_cast<int64_t>(*limit));
  } else {
    statement.bind(index);
  }
}

absl::Status CheckLimit(const char* what, const OptionalLimit& limit, uint64_t least,
                        uint64_t most) {
  if (!limit || (*limit >= least && *limit <= most)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} of a quota: expected a number from {} to {}", what, least, most));
}

absl::Status CheckQuota(const Quota& quota) {
  constexpr uint64_t kMost = QuotaTable::kMostOfOther;
  CULVERT_RETURN_IF_ERROR(CheckLimit("agents", quota.agents, 0, kMost));
  CULVERT_RETURN_IF_ERROR(CheckLimit("channels", quota.channels, 0, kMost));
  CULVERT_RETURN_IF_ERROR(
      CheckLimit("new channels per second", quota.new_channels_per_second, 0, kMost));
  return CheckLimit("bytes per second", quota.bytes_per_second, QuotaTable::kLeastBytesPerSecond,
                    QuotaTable::kMostBytesPerSecond);
}

}  // namespace

std::string Quota::ToString() const {
  std::string text;
  const auto add = [&text](const char* what, const OptionalLimit& limit) {
    if (limit) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what, *limit);
  };
  add("agents", agents);
  add("channels", channels);
  add("bytes per second", bytes_per_second);
  add("new channels per second", new_channels_per_second);
  return text.empty() ? "no limit" : text;
}

Quota QuotaChange::AppliedTo(Quota quota) const {
  if (agents) quota.agents = *agents;
  if (channels) quota.channels = *channels;
  if (bytes_per_second) quota.bytes_per_second = *bytes_per_second;
  if (new_channels_per_second) quota.new_channels_per_second = *new_channels_per_second;
  return quota;
}

absl::Status QuotaTable::Load() {
  return database_.Read<absl::Status>("read quotas", [&]() -> absl::Status {
    SQLite::Statement row = database_.Prepare(
        "SELECT project, agents, channels, bytes_per_second, new_channels_per_second FROM quotas");
    std::unordered_map<std::string, Quota> quotas;
    while (row.executeStep()) {
      quotas[TextAt(row, 0)] = {LimitAt(row, 1), LimitAt(row, 2), LimitAt(row, 3), LimitAt(row, 4)};
    }
    quotas_ = std::move(quotas);
    return absl::OkStatus();
  });
}

absl::Status QuotaTable::Set(const std::string& project, const QuotaChange& change,
                             Quota& changed) {
  const auto found = quotas_.find(project);
  changed = change.AppliedTo(found == quotas_.end() ? Quota() : found->second);
  CULVERT_RETURN_IF_ERROR(CheckQuota(changed));
  absl::Status written = database_.Write<absl::Status>("set quota", [&]() -> absl::Status {
    if (project != kDefault) CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    SQLite::Statement row = database_.Prepare(
        "INSERT OR REPLACE INTO quotas (project, agents, channels, bytes_per_second, "
        "new_channels_per_second) VALUES (?, ?, ?, ?, ?)");
    row.bind(1, project);
    BindLimit(row, 2, changed.agents);
    BindLimit(row, 3, changed.channels);
    BindLimit(row, 4, changed.bytes_per_second);
    BindLimit(row, 5, changed.new_channels_per_second);
    row.exec();
    return absl::OkStatus();
  });
  if (written.ok()) quotas_[project] = changed;
  return written;
}

absl::Status QuotaTable::Clear(const std::string& project) {
  absl::Status written = database_.Write<absl::Status>("clear quota", [&]() -> absl::Status {
    if (database_.Execute("DELETE FROM quotas WHERE project = ?", project) > 0) {
      return absl::OkStatus();
    }
    return absl::NotFoundError(
        project == kDefault
            ? std::string("there is no default quota")
            : fmt::format("project \"{}\" has no quota of its own", Printable(project)));
  });
  if (written.ok()) quotas_.erase(project);
  return written;
}

Quota QuotaTable::Of(const std::string& project) const {
  if (quotas_.empty()) return {};
  auto found = quotas_.find(project);
  if (found == quotas_.end()) found = quotas_.find(kDefault);
  return found == quotas_.end() ? Quota() : found->second;
}

std::vector<std::pair<std::string, Quota>> QuotaTable::List() const {
  std::vector<std::pair<std::string, Quota>> list(quotas_.begin(), quotas_.end());
  std::sort(list.begin(), list.end(),  // "*" is before all that may begin a name
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return list;
}

}  // namespace culvert::store
