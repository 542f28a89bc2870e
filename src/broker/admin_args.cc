#include "broker/admin_args.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

absl::Status Expected(const char* name, const char* what) {
  return absl::InvalidArgumentError(fmt::format("{}: expected {}", name, what));
}

absl::StatusOr<std::string> TextFrom(const char* name, const Json& value,
                                     size_t most = AdminArgs::kMaxTextBytes) {
  if (!value.is_string()) return Expected(name, "a text");
  auto text = value.get<std::string>();
  if (text.size() <= most) return text;
  return absl::InvalidArgumentError(fmt::format("{}: longer than {} bytes", name, most));
}

absl::StatusOr<store::Subject> SubjectFrom(const char* name, const Json& value) {
  if (!value.is_object() || value.size() != 2 || !value.contains("kind") ||
      !value.contains("name")) {
    return Expected(name, "a kind and a name");
  }
  CULVERT_ASSIGN_OR_RETURN(const std::string kind, TextFrom("kind", value["kind"]));
  CULVERT_ASSIGN_OR_RETURN(std::string subject, TextFrom("name", value["name"]));
  CULVERT_ASSIGN_OR_RETURN(const store::SubjectKind parsed, store::ParseSubjectKind(kind));
  return store::Subject{parsed, std::move(subject)};
}

}  // namespace

Json AdminArgs::Take(const char* name) {
  if (!rest_.is_object() || !rest_.contains(name)) return nullptr;
  Json value = std::move(rest_[name]);
  rest_.erase(name);
  return value;
}

absl::StatusOr<std::string> AdminArgs::TakeText(const char* name, size_t most) {
  return TextFrom(name, Take(name), most);
}

std::string AdminArgs::TakeTextOr(const char* name, std::string otherwise) {
  const Json value = Take(name);
  if (value.is_null()) return otherwise;
  absl::StatusOr<std::string> text = TextFrom(name, value);
  if (text.ok()) return *std::move(text);
  failed_ = text.status();
  return "";
}

bool AdminArgs::TakeSwitch(const char* name) {
  const Json value = Take(name);
  if (value.is_null()) return false;
  if (!value.is_boolean()) failed_ = Expected(name, "true or false");
  return value.is_boolean() && value.get<bool>();
}

absl::StatusOr<std::string> AdminArgs::TakeLongText(const char* name, size_t most) {
  const Json value = Take(name);
  if (value.is_null()) return std::string();
  if (!value.is_string()) return Expected(name, "a text");
  auto text = value.get<std::string>();
  if (text.size() <= most) return text;
  return absl::InvalidArgumentError(fmt::format("{}: longer than {} bytes", name, most));
}

absl::StatusOr<std::vector<std::string>> AdminArgs::TakeTexts(const char* name) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Json> items, TakeList(name));
  std::vector<std::string> texts;
  for (const Json& item : items) {
    CULVERT_ASSIGN_OR_RETURN(std::string text, TextFrom(name, item));
    texts.push_back(std::move(text));
  }
  return texts;
}

absl::StatusOr<int64_t> AdminArgs::TakeInteger(const char* name) {
  const Json value = Take(name);
  if (value.is_number_integer()) return value.get<int64_t>();
  return Expected(name, "an integer");
}

absl::StatusOr<store::QuotaChange::Limit> AdminArgs::TakeQuotaLimit(const char* name) {
  using Limit = store::QuotaChange::Limit;
  const Json value = Take(name);
  if (value.is_null()) return Limit();
  if (value == "unlimited") return Limit(std::in_place, std::nullopt);
  const bool is_count =
      value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0);
  if (is_count) return Limit(std::in_place, value.get<uint64_t>());
  return Expected(name, "a number or \"unlimited\"");
}

absl::StatusOr<store::Subject> AdminArgs::TakeSubject(const char* name) {
  return SubjectFrom(name, Take(name));
}

absl::StatusOr<std::vector<Json>> AdminArgs::TakeList(const char* name) {
  const Json value = Take(name);
  if (value.is_null()) return std::vector<Json>();
  if (!value.is_array() || value.size() > kMaxItems) return Expected(name, "at most 1000 items");
  return std::vector<Json>(value.begin(), value.end());
}

absl::StatusOr<std::vector<store::Subject>> AdminArgs::TakeSubjects(const char* name) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Json> items, TakeList(name));
  std::vector<store::Subject> subjects;
  for (const Json& item : items) {
    CULVERT_ASSIGN_OR_RETURN(store::Subject subject, SubjectFrom(name, item));
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

absl::StatusOr<store::PermissionSet> AdminArgs::TakePermissions(const char* name) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Json> items, TakeList(name));
  store::PermissionSet set;
  for (const Json& item : items) {
    CULVERT_ASSIGN_OR_RETURN(const std::string text, TextFrom(name, item));
    CULVERT_ASSIGN_OR_RETURN(const store::Permission permission, store::ParsePermission(text));
    set.set(static_cast<size_t>(permission));
  }
  return set;
}

absl::Status AdminArgs::Finish() const {
  CULVERT_RETURN_IF_ERROR(failed_);
  if (!rest_.is_object()) return absl::InvalidArgumentError("args: expected an object");
  if (rest_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("unknown argument \"{}\"", Printable(rest_.begin().key())));
}

}  // namespace culvert::broker
