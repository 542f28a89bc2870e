#include "resource/page_token.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "crypto/digest.h"

namespace culvert::resource {
namespace {

using Direction = PageCursor::Direction;
using Border = PageCursor::Border;

constexpr size_t kCodeBytes = 16;
constexpr size_t kLeastKeyBytes = 16;
constexpr std::string_view kSortKeyName = "aw";  // "k" and "m" in base64
constexpr std::string_view kCodeName = "bQ";

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

char Letter(Direction direction) { return direction == Direction::kLeft ? 'l' : 'r'; }
char Letter(Border border) { return border == Border::kIncluded ? 'i' : 'e'; }

void AppendPart(std::string_view part, std::string* text) {
  for (int shift = 24; shift >= 0; shift -= 8)
    *text += static_cast<char>(part.size() >> shift & 0xff);
  *text += part;
}

absl::Status BadFormat() { return absl::InvalidArgumentError("page_token: invalid cursor format"); }

absl::Status Foreign() {
  return absl::InvalidArgumentError(
      "page_token is of another request: send it with the filter and order_by of the list that it "
      "came from, or leave it empty to begin with the first page");
}

// Of "<name>:<value>".
std::optional<std::string> ValueOf(std::string_view part, std::string_view name) {
  if (part.substr(0, name.size()) != name || part.substr(name.size(), 1) != ":") return {};
  return crypto::FromBase64Url(part.substr(name.size() + 1));
}

}  // namespace

PageCursor PageCursor::Reversed() const {
  return {direction == Direction::kLeft ? Direction::kRight : Direction::kLeft,
          border == Border::kIncluded ? Border::kExcluded : Border::kIncluded, sort_key};
}

PageTokens::PageTokens(std::string key) : key_(std::move(key)) {
  CULVERT_CHECK(key_.size() >= kLeastKeyBytes);
}

std::string PageTokens::Code(const PageCursor& cursor, const PageBinding& binding) const {
  std::string text = "culvert page token 1";
  text += Letter(cursor.direction);
  text += Letter(cursor.border);
  AppendPart(cursor.sort_key, &text);
  AppendPart(binding.method, &text);
  AppendPart(binding.filter, &text);
  AppendPart(binding.order_by, &text);
  return crypto::HmacSha256(key_, text).substr(0, kCodeBytes);
}

std::string PageTokens::Seal(const PageCursor& cursor, const PageBinding& binding) const {
  return fmt::format("{}.{}.C.{}:{},{}:{}", Letter(cursor.direction), Letter(cursor.border),
                     kSortKeyName, crypto::Base64Url(cursor.sort_key), kCodeName,
                     crypto::Base64Url(Code(cursor, binding)));
}

absl::StatusOr<PageCursor> PageTokens::Open(std::string_view token,
                                            const PageBinding& binding) const {
  if (token.size() > kMostBytes) {
    return absl::InvalidArgumentError(fmt::format("page_token: more than {} bytes", kMostBytes));
  }
  const std::vector<std::string_view> parts = Split(token, '.');
  if (parts.size() != 4 || (parts[0] != "l" && parts[0] != "r") ||
      (parts[1] != "i" && parts[1] != "e")) {
    return BadFormat();
  }
  // Snapshots and offsets are what other servers of the protocol give out.
  if (parts[2] == "S" || parts[2] == "O") return Foreign();
  const std::vector<std::string_view> values = Split(parts[3], ',');
  if (parts[2] != "C" || values.size() != 2) return BadFormat();
  const auto sort_key = ValueOf(values[0], kSortKeyName);
  const auto code = ValueOf(values[1], kCodeName);
  if (!sort_key || !code) return BadFormat();
  PageCursor cursor{parts[0] == "l" ? Direction::kLeft : Direction::kRight,
                    parts[1] == "i" ? Border::kIncluded : Border::kExcluded, *sort_key};
  if (!crypto::ConstantTimeEqual(*code, Code(cursor, binding))) return Foreign();
  return cursor;
}

}  // namespace culvert::resource
