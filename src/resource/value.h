// What a field of a resource holds, read by reflection, and how two of these compare. Any thread.
// A view is good as long as the message that it was read from, unchanged.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace culvert::resource {

// google.protobuf.Timestamp: since 1970, and 0 <= nanos < 10^9.
struct Timestamp {
  int64_t seconds = 0;
  int32_t nanos = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 means the 0 in the generated code.
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

// RFC 3339 with any offset, years 1 to 9999; nothing if `text` is no such time.
std::optional<Timestamp> ParseTimestamp(std::string_view text);
// In UTC, with as many decimals as there are: "2026-01-31T08:00:00.5Z".
std::string FormatTimestamp(Timestamp time);

// A field that is not set, or a path that leads nowhere.
struct Null {
  friend bool operator==(const Null&, const Null&) = default;
};

// A repeated field with at least one element.
struct ListView {
  const google::protobuf::Message* message = nullptr;
  const google::protobuf::FieldDescriptor* field = nullptr;
  friend bool operator==(const ListView&, const ListView&) = default;
};

// A map field with at least one entry.
struct MapView {
  const google::protobuf::Message* message = nullptr;
  const google::protobuf::FieldDescriptor* field = nullptr;
  friend bool operator==(const MapView&, const MapView&) = default;
};

// Integers and enums are int64_t (a uint64 above 2^63-1 counts as that), float and double are
// double, bytes are a string.
using Value = std::variant<Null, bool, int64_t, double, std::string, Timestamp, ListView, MapView,
                           const google::protobuf::Message*>;

inline bool IsNull(const Value& value) { return std::holds_alternative<Null>(value); }

// Numbers by their worth, exactly; strings by bytes; false before true. Unordered where one is
// null, NaN, a list, a map or a message, and where the types differ.
std::partial_ordering Compare(const Value& a, const Value& b);

// A field as it is: null if it has presence and is not set, and if it is an empty list or map
// (proto3 cannot tell that from none); a scalar without presence is its value, '' and 0 too.
Value ReadField(const google::protobuf::Message& message,
                const google::protobuf::FieldDescriptor& field);
// An element of a repeated field. A map's elements are its entries, messages of `key` and `value`.
Value ReadElement(const google::protobuf::Message& message,
                  const google::protobuf::FieldDescriptor& field, int index);

// A map's key as text, and its value, which is never null.
std::string EntryKey(const google::protobuf::Message& entry);
Value EntryValue(const google::protobuf::Message& entry);

}  // namespace culvert::resource
