#include "resource/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"

namespace culvert::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kTimestampType = "google.protobuf.Timestamp";
constexpr int64_t kFirstSecond = -62135596800;  // of the year 1
constexpr int64_t kLastSecond = 253402300799;   // of the year 9999
constexpr int32_t kMostNanos = 999'999'999;

// absl's parser also takes white space, single digits and words.
bool LooksLikeRfc3339(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  const auto has_form = [](std::string_view form, std::string_view part) {
    return part.size() == form.size() &&
           std::equal(form.begin(), form.end(), part.begin(), [](char wanted, char c) {
             return wanted == 'd' ? absl::ascii_isdigit(static_cast<unsigned char>(c))
                                  : wanted == c;
           });
  };
  if (text.size() <= kForm.size() || !has_form(kForm, text.substr(0, kForm.size()))) return false;
  std::string_view rest = text.substr(kForm.size());
  if (rest.front() == '.') {
    const size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (end == 1) return false;
    rest.remove_prefix(end);
  }
  return rest == "Z" || has_form("+dd:dd", rest) || has_form("-dd:dd", rest);
}

Value FromTimestamp(const Message& message) {
  const auto* type = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  const int32_t nanos = reflection->GetInt32(message, type->FindFieldByNumber(2));
  return Timestamp{reflection->GetInt64(message, type->FindFieldByNumber(1)),
                   std::clamp(nanos, 0, kMostNanos)};
}

Value FromMessage(const Message& message) {
  if (message.GetDescriptor()->full_name() == kTimestampType) return FromTimestamp(message);
  return &message;
}

int64_t Saturated(uint64_t number) {
  return static_cast<int64_t>(
      std::min(number, static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
}

std::partial_ordering CompareMixed(int64_t a, double b) {
  constexpr double kBeyond = 0x1p63;
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (b >= kBeyond) return std::partial_ordering::less;
  if (b < -kBeyond) return std::partial_ordering::greater;
  const double whole = std::trunc(b);
  if (a != static_cast<int64_t>(whole)) return a <=> static_cast<int64_t>(whole);
  return 0.0 <=> b - whole;
}

std::partial_ordering Reversed(std::partial_ordering order) {
  if (std::is_lt(order)) return std::partial_ordering::greater;
  return std::is_gt(order) ? std::partial_ordering::less : order;
}

}  // namespace

std::optional<Timestamp> ParseTimestamp(std::string_view text) {
  if (!LooksLikeRfc3339(text)) return std::nullopt;
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, {text.data(), text.size()}, &time, &error)) return {};
  const int64_t seconds = absl::ToUnixSeconds(time);
  if (seconds < kFirstSecond || seconds > kLastSecond) return std::nullopt;
  const int64_t nanos = absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds));
  return Timestamp{seconds, static_cast<int32_t>(nanos)};
}

std::string FormatTimestamp(Timestamp time) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E*SZ",
                          absl::FromUnixSeconds(time.seconds) + absl::Nanoseconds(time.nanos),
                          absl::UTCTimeZone());
}

std::partial_ordering Compare(const Value& a, const Value& b) {
  const auto* integer = std::get_if<int64_t>(&a);
  const auto* real = std::get_if<double>(&a);
  if (integer != nullptr && std::holds_alternative<double>(b)) {
    return CompareMixed(*integer, std::get<double>(b));
  }
  if (real != nullptr && std::holds_alternative<int64_t>(b)) {
    return Reversed(CompareMixed(std::get<int64_t>(b), *real));
  }
  if (a.index() != b.index()) return std::partial_ordering::unordered;
  if (integer != nullptr) return *integer <=> std::get<int64_t>(b);
  if (real != nullptr) return *real <=> std::get<double>(b);
  if (const auto* text = std::get_if<std::string>(&a)) return *text <=> std::get<std::string>(b);
  if (const auto* time = std::get_if<Timestamp>(&a)) return *time <=> std::get<Timestamp>(b);
  if (const auto* truth = std::get_if<bool>(&a)) return *truth <=> std::get<bool>(b);
  return std::partial_ordering::unordered;
}

Value ReadField(const Message& message, const FieldDescriptor& field) {
  const auto* reflection = message.GetReflection();
  if (field.is_repeated()) {
    if (reflection->FieldSize(message, &field) == 0) return Null{};
    if (field.is_map()) return MapView{&message, &field};
    return ListView{&message, &field};
  }
  if (field.has_presence() && !reflection->HasField(message, &field)) return Null{};
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return int64_t{reflection->GetInt32(message, &field)};
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->GetInt64(message, &field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return int64_t{reflection->GetUInt32(message, &field)};
    case FieldDescriptor::CPPTYPE_UINT64:
      return Saturated(reflection->GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->GetDouble(message, &field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return double{reflection->GetFloat(message, &field)};
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, &field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return int64_t{reflection->GetEnumValue(message, &field)};
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(message, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return FromMessage(reflection->GetMessage(message, &field));
  }
  return Null{};
}

Value ReadElement(const Message& message, const FieldDescriptor& field, int index) {
  const auto* reflection = message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return int64_t{reflection->GetRepeatedInt32(message, &field, index)};
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection->GetRepeatedInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return int64_t{reflection->GetRepeatedUInt32(message, &field, index)};
    case FieldDescriptor::CPPTYPE_UINT64:
      return Saturated(reflection->GetRepeatedUInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->GetRepeatedDouble(message, &field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return double{reflection->GetRepeatedFloat(message, &field, index)};
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetRepeatedBool(message, &field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return int64_t{reflection->GetRepeatedEnumValue(message, &field, index)};
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetRepeatedString(message, &field, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return FromMessage(reflection->GetRepeatedMessage(message, &field, index));
  }
  return Null{};
}

std::string EntryKey(const Message& entry) {
  const Value key = ReadField(entry, *entry.GetDescriptor()->map_key());
  if (const auto* text = std::get_if<std::string>(&key)) return *text;
  if (const auto* number = std::get_if<int64_t>(&key)) return fmt::format("{}", *number);
  if (const auto* truth = std::get_if<bool>(&key)) return *truth ? "true" : "false";
  return {};
}

// A message in a map is always there, if empty, though its entry says that it is not set.
Value EntryValue(const Message& entry) {
  const FieldDescriptor& field = *entry.GetDescriptor()->map_value();
  Value value = ReadField(entry, field);
  if (!IsNull(value)) return value;
  return FromMessage(entry.GetReflection()->GetMessage(entry, &field));
}

}  // namespace culvert::resource
