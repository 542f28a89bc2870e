#include "resource/order_by.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert::resource {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

// Ids have 128 bytes, and a collection stands in front of them.
constexpr size_t kMostNameBytes = 256;

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  const auto is_space = [](char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); };
  while (true) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    if (text.empty()) return words;
    const auto end = std::find_if(text.begin(), text.end(), is_space);
    const auto size = static_cast<size_t>(end - text.begin());
    words.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
}

absl::Status RefusedItem(std::string_view item, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("order_by, '{}': {}", Printable(item), why));
}

bool IsWord(std::string_view text, absl::string_view word) {
  return absl::EqualsIgnoreCase({text.data(), text.size()}, word);
}

absl::StatusOr<SortField> ParseField(std::string_view item, const Descriptor& type) {
  const std::vector<std::string_view> words = Words(item);
  if (words.empty()) return RefusedItem(item, "a field path is missing");
  const bool descends = words.size() > 1 && IsWord(words[1], "desc");
  const bool is_direction = words.size() < 2 || descends || IsWord(words[1], "asc");
  if (words.size() > 2 || !is_direction) {
    return RefusedItem(item, "write a field path, then asc or desc or nothing");
  }
  auto path = FieldPath::Parse(words[0], type);
  if (!path.ok()) return Annotate(path.status(), "order_by");
  const PathKind kind = path->kind();
  if (kind == PathKind::kMessage || kind == PathKind::kList || kind == PathKind::kMap) {
    return RefusedItem(item, "has no order; name one value in it");
  }
  return SortField{*std::move(path),
                   descends ? SortDirection::kDescending : SortDirection::kAscending};
}

void AppendBigEndian(uint64_t number, std::string* key) {
  for (int shift = 56; shift >= 0; shift -= 8) *key += static_cast<char>(number >> shift & 0xff);
}

constexpr uint64_t kSign = uint64_t{1} << 63;

void AppendInteger(int64_t number, std::string* key) {
  AppendBigEndian(static_cast<uint64_t>(number) ^ kSign, key);
}

// The bits of positive numbers are in order, those of negative ones in the reverse one.
void AppendDouble(double number, std::string* key) {
  if (std::isnan(number)) number = std::numeric_limits<double>::quiet_NaN();
  if (number == 0) number = 0;  // also of -0
  uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  AppendBigEndian((bits & kSign) != 0 ? ~bits : bits | kSign, key);
}

// Ends with 00 01, and a zero byte inside is 00 ff: no key is the beginning of another one, and
// what is shorter comes first, whatever follows.
void AppendString(std::string_view text, std::string* key) {
  for (const char c : text) {
    *key += c;
    if (c == '\0') *key += '\xff';
  }
  *key += std::string_view("\0\1", 2);
}

std::string KeyOf(const Value& value, size_t most_bytes) {
  if (IsNull(value)) return std::string(1, '\0');
  std::string key(1, '\1');
  if (const auto* truth = std::get_if<bool>(&value)) key += *truth ? '\1' : '\0';
  if (const auto* number = std::get_if<int64_t>(&value)) AppendInteger(*number, &key);
  if (const auto* real = std::get_if<double>(&value)) AppendDouble(*real, &key);
  if (const auto* time = std::get_if<Timestamp>(&value)) {
    AppendInteger(time->seconds, &key);
    AppendInteger(time->nanos, &key);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    AppendString(std::string_view(*text).substr(0, most_bytes), &key);
  }
  return key;
}

}  // namespace

absl::StatusOr<OrderBy> OrderBy::Parse(std::string_view text, const Descriptor& type) {
  if (text.size() > kMostBytes) {
    return absl::InvalidArgumentError(fmt::format("order_by: more than {} bytes", kMostBytes));
  }
  OrderBy order;
  for (std::string_view rest = text; !Words(text).empty();) {
    const size_t comma = rest.find(',');
    CULVERT_ASSIGN_OR_RETURN(SortField field, ParseField(rest.substr(0, comma), type));
    order.fields_.push_back(std::move(field));
    if (order.fields_.size() > kMostFields + 1) break;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  const bool has_name =
      std::any_of(order.fields_.begin(), order.fields_.end(),
                  [](const SortField& field) { return field.path.is_resource_name(); });
  // The name comes on top of them, as ToString() writes it.
  if (order.fields_.size() > kMostFields + (has_name ? 1 : 0)) {
    return absl::InvalidArgumentError(fmt::format("order_by: more than {} fields", kMostFields));
  }
  if (auto name = FieldPath::Parse("name", type); !has_name && name.ok()) {
    const SortDirection last =
        order.fields_.empty() ? SortDirection::kAscending : order.fields_.back().direction;
    order.fields_.push_back({*std::move(name), last});
  }
  for (const SortField& field : order.fields_) {
    order.text_ += order.text_.empty() ? "" : ", ";
    order.text_ += field.path.ToString();
    if (field.direction == SortDirection::kDescending) order.text_ += " desc";
  }
  return order;
}

std::string OrderBy::Key(const Message& message) const {
  std::string key;
  for (const SortField& field : fields_) {
    const size_t most = field.path.is_resource_name() ? kMostNameBytes : kMostStringBytes;
    std::string part = KeyOf(field.path.Read(message), most);
    if (field.direction == SortDirection::kDescending) {
      for (char& c : part) c = static_cast<char>(~static_cast<unsigned char>(c));
    }
    key += part;
  }
  return key;
}

}  // namespace culvert::resource
