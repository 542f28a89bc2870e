#include "resource/resource_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"

namespace culvert::resource {
namespace {

constexpr std::string_view kWildcard = "-";
constexpr size_t kMostNewIdBytes = 30;

bool IsNewIdByte(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
}

bool IsNewId(std::string_view id) {
  return id.size() >= 2 && id.size() <= kMostNewIdBytes &&
         absl::ascii_islower(static_cast<unsigned char>(id.front())) && id.back() != '-' &&
         std::all_of(id.begin(), id.end(), IsNewIdByte);
}

// The first segment of `*rest`, which loses it.
std::string_view TakeSegment(std::string_view* rest) {
  const size_t slash = std::min(rest->find('/'), rest->size());
  const std::string_view segment = rest->substr(0, slash);
  rest->remove_prefix(std::min(slash + 1, rest->size()));
  return segment;
}

// Lower-case words, a dash between them, beginning with a letter.
std::string Words(std::string_view display_name, size_t most) {
  std::string words;
  for (const char raw : display_name) {
    const char c = absl::ascii_tolower(static_cast<unsigned char>(raw));
    const bool is_letter = absl::ascii_islower(static_cast<unsigned char>(c));
    const bool is_word = is_letter || absl::ascii_isdigit(static_cast<unsigned char>(c));
    if (words.empty() ? is_letter : is_word) words += c;
    if (!is_word && !words.empty() && words.back() != '-') words += '-';
  }
  words.resize(std::min(words.size(), most));
  while (!words.empty() && words.back() == '-') words.pop_back();
  return words;
}

}  // namespace

absl::StatusOr<std::string> ParseResourceName(std::string_view name, const ResourceKind& kind) {
  const std::string prefix = fmt::format("{}/", kind.collection);
  if (name.substr(0, prefix.size()) == prefix) {
    const std::string_view id = name.substr(prefix.size());
    if (id == kWildcard || IsResourceId(id)) return std::string(id);
  }
  return absl::InvalidArgumentError(
      fmt::format("unable to parse '{}' as {} name", Printable(name), kind.type));
}

absl::StatusOr<std::string> ParseNewResourceName(std::string_view name, const ResourceKind& kind) {
  CULVERT_ASSIGN_OR_RETURN(std::string id, ParseResourceName(name, kind));
  if (IsNewId(id)) return id;
  return absl::InvalidArgumentError(
      fmt::format("'{}' cannot be the name of a new {}: behind {}/ come 2 to {} of a-z, 0-9 and "
                  "'-', a letter first and no '-' last",
                  Printable(name), kind.type, kind.collection, kMostNewIdBytes));
}

std::string DrawResourceId(std::string_view display_name, uint64_t random) {
  constexpr std::string_view kAlphabet = "abcdefghijkmnopqrstuvwxyz0123456789";  // l reads as 1
  constexpr size_t kLetters = 25;
  constexpr size_t kDrawn = 6;
  std::string id = Words(display_name, kMostNewIdBytes - kDrawn - 1);
  if (!id.empty()) id += '-';
  for (size_t i = 0; i < kDrawn; ++i) {
    const size_t choices = i == 0 ? kLetters : kAlphabet.size();
    id += kAlphabet[random % choices];
    random /= choices;
  }
  return id;
}

bool IsNamePattern(std::string_view text) {
  if (text.empty() || text.back() == '/') return false;
  size_t segments = 0;
  do {
    const std::string_view segment = TakeSegment(&text);
    ++segments;
    const bool is_id = segments % 2 == 0;
    if (!IsResourceId(segment) && !(is_id && segment == kWildcard)) return false;
  } while (!text.empty());
  return segments % 2 == 0;
}

bool HasWildcard(std::string_view pattern) {
  while (!pattern.empty()) {
    if (TakeSegment(&pattern) == kWildcard) return true;
  }
  return false;
}

bool NameMatches(std::string_view pattern, std::string_view name) {
  while (!pattern.empty() && !name.empty()) {
    const std::string_view wanted = TakeSegment(&pattern);
    const std::string_view segment = TakeSegment(&name);
    if (wanted != segment && wanted != kWildcard) return false;
  }
  return pattern.empty() && name.empty();
}

}  // namespace culvert::resource
