// The order of a list. A value; any thread. It refers to the descriptor that it was parsed with,
// which must stay (generated ones always do).
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "resource/field_path.h"

namespace culvert::resource {

enum class SortDirection { kAscending, kDescending };

struct SortField {
  FieldPath path;
  SortDirection direction = SortDirection::kAscending;
  friend bool operator==(const SortField&, const SortField&) = default;
};

class OrderBy {
 public:
  static constexpr size_t kMostBytes = 2048;
  static constexpr size_t kMostFields = 8;
  // Strings but the resource's name count with so many of their bytes, so that keys, and page
  // tokens with them, are short.
  static constexpr size_t kMostStringBytes = 128;

  // "metadata.create_time desc, name": field paths of scalars, times and values of maps, each with
  // an optional asc or desc, in any case. Where the resource's name is not among them it comes
  // last, in the direction of the one before, so that no two resources are equal. INVALID_ARGUMENT
  // for anything else, in one line.
  static absl::StatusOr<OrderBy> Parse(std::string_view text,
                                       const google::protobuf::Descriptor& type);

  // Where `message` belongs: the keys of resources compare by bytes as the resources do. What is
  // not set comes first, or last if descending; NaN after all numbers; at most 2.3 KB.
  std::string Key(const google::protobuf::Message& message) const;

  // With the name that was added.
  const std::vector<SortField>& fields() const { return fields_; }

  // One spelling of the same order, which parses to it.
  const std::string& ToString() const { return text_; }
  friend bool operator==(const OrderBy& a, const OrderBy& b) { return a.fields_ == b.fields_; }

 private:
  std::vector<SortField> fields_;
  std::string text_;
};

}  // namespace culvert::resource
