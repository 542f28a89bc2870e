#include "config/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/target.h"

namespace culvert::config {
namespace {

constexpr size_t kMaxNameBytes = 128;

// absl's are for ASCII in every locale, std::isalnum is not.
bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }
bool IsNameByte(char c) { return IsAlnum(c) || c == '.' || c == '_' || c == '-'; }

bool IsId(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameBytes) return false;
  if (!IsAlnum(text.front()) && text.front() != '_') return false;
  return std::all_of(text.begin(), text.end(), IsNameByte);
}

bool IsAgentName(std::string_view text) { return IsId(text) && text.front() != '_'; }

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
  if (IsId(id)) return std::string(kPrefix).append(id);
  return absl::InvalidArgumentError(
      "expected ID or projects/ID, an ID being 1 to 128 of A-Z, a-z, 0-9, '_', '.', '-', not "
      "starting with '.' or '-'");
}

absl::StatusOr<std::string> ParseRegion(std::string_view text) {
  if (text.empty() || IsId(text)) return std::string(text);
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
