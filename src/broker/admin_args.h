// The arguments of an admin command, read with care: they come through a socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/admin.h"
#include "store/permission.h"
#include "store/policy.h"
#include "store/quota_table.h"

namespace culvert::broker {

// Each argument is taken once. INVALID_ARGUMENT names the one that is wrong.
class AdminArgs {
 public:
  static constexpr size_t kMaxTextBytes = 1024;
  static constexpr size_t kMaxItems = 1000;

  explicit AdminArgs(const Json& args) : rest_(args) {}

  absl::StatusOr<std::string> TakeText(const char* name, size_t most = kMaxTextBytes);
  std::string TakeTextOr(const char* name, std::string otherwise);
  // Of at most `most` bytes; empty if it is not there.
  absl::StatusOr<std::string> TakeLongText(const char* name, size_t most);
  // Empty if it is not there.
  absl::StatusOr<std::vector<std::string>> TakeTexts(const char* name);
  // False if it is not there.
  bool TakeSwitch(const char* name);
  absl::StatusOr<int64_t> TakeInteger(const char* name);
  // A number that is not negative, or "unlimited"; nothing if it is not there.
  absl::StatusOr<store::QuotaChange::Limit> TakeQuotaLimit(const char* name);
  // {"kind": "user", "name": "alice"}
  absl::StatusOr<store::Subject> TakeSubject(const char* name);
  // Empty if it is not there.
  absl::StatusOr<std::vector<store::Subject>> TakeSubjects(const char* name);
  absl::StatusOr<store::PermissionSet> TakePermissions(const char* name);

  // After the last: an error if something was wrong with an optional one, or is left.
  absl::Status Finish() const;

 private:
  // Null if it is not there.
  Json Take(const char* name);
  absl::StatusOr<std::vector<Json>> TakeList(const char* name);

  Json rest_;
  absl::Status failed_;
};

}  // namespace culvert::broker
