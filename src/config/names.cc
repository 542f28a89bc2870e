#include "config/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/resource_id.h"
#include "base/target.h"

namespace culvert::config {
namespace {

// absl's are for ASCII in every locale, std::isalnum is not.
bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }
bool IsNameByte(char c) { return IsAlnum(c) || c == '.' || c == '_' || c == '-'; }

bool IsAgentName(std::string_view text) { return IsResourceId(text) && text.front() != '_'; }

}  // namespace

absl::StatusOr<std::string> ParseAgentName(std::string_view text) {
  if (IsAgentName(text)) return std::string(text);
  return absl::InvalidArgumentError(
      "a name is 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and starts with a letter or digit");
}

absl::StatusOr<std::string> ParseProject(std::string_view text) {
  constexpr std::string_view kPrefix = "projects/";
  std::string_view id = text;
  if (id.substr(0, kPrefix.size()) == kPrefix) id.remove_prefix(kPrefix.size());
  if (IsResourceId(id)) return std::string(kPrefix).append(id);
  return absl::InvalidArgumentError(
      "expected ID or projects/ID, an ID being 1 to 128 of A-Z, a-z, 0-9, '_', '.', '-', not "
      "starting with '.' or '-'");
}

absl::StatusOr<std::string> ParseRegion(std::string_view text) {
  if (text.empty() || IsResourceId(text)) return std::string(text);
  return absl::InvalidArgumentError(
      "a region is up to 128 of A-Z, a-z, 0-9, '_', '.', '-' and does not start with '.' or '-'");
}

absl::StatusOr<std::string> ParseServiceDomain(std::string_view text) {
  if (text.empty()) return std::string();
  const absl::StatusOr<Target> host = ParseHost(text);
  if (host.ok() && host->kind == Target::HostKind::kName) return host->host;
  return absl::InvalidArgumentError("expected a lower-case DNS name");
}

std::string CleanName(std::string_view text) {
  const auto* const start = std::find_if(text.begin(), text.end(), IsAlnum);
  std::string name(start, text.end());
  if (name.size() > kMaxNameBytes) name.resize(kMaxNameBytes);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !IsNameByte(c); }, '-');
  return name.empty() ? "culvert" : name;
}

}  // namespace culvert::config
