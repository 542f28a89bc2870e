// A path to a field of a resource, as filters, orders and masks write it. A value; any thread. It
// refers to the descriptor that it was parsed with, which must stay (generated ones always do).
//
// `metadata.create_time`: names of fields in snake_case, camelCase or kebab-case, in any case, with
// "." or "\." between them. What follows a map is the key of one entry, with all its dots and in
// its own case: `metadata.labels.app.example.org/name`. A list, a timestamp and a map's value end
// the path.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "resource/value.h"

namespace culvert::resource {

enum class PathKind {
  kBool,
  kInteger,
  kDouble,
  kString,
  kEnum,
  kTimestamp,
  kMessage,
  kList,
  kMap,
};

// Of a field, and of one element of it if it is repeated.
PathKind KindOf(const google::protobuf::FieldDescriptor& field);
PathKind ElementKindOf(const google::protobuf::FieldDescriptor& field);

class FieldPath {
 public:
  static constexpr size_t kMostBytes = 1024;

  // INVALID_ARGUMENT for what is no path in `type`, with what is wrong in one line.
  static absl::StatusOr<FieldPath> Parse(std::string_view text,
                                         const google::protobuf::Descriptor& type);

  // What `message`, which is of the type that the path was parsed with, has there; null if a
  // message on the way is not set, or a map has no such key.
  Value Read(const google::protobuf::Message& message) const;

  PathKind kind() const { return map_key_ ? ElementKindOf(leaf()) : KindOf(leaf()); }
  // The field that holds the value: the last one of the path, or its map's `value`.
  const google::protobuf::FieldDescriptor& leaf() const;
  // The resource's own name, in which "-" stands for any segment.
  bool is_resource_name() const;

  // From the resource down; the last one is a map if there is a key.
  const std::vector<const google::protobuf::FieldDescriptor*>& fields() const { return fields_; }
  const std::optional<std::string>& map_key() const { return map_key_; }

  // In snake_case, which parses to the same path.
  const std::string& ToString() const { return text_; }
  friend bool operator==(const FieldPath& a, const FieldPath& b) {
    return a.fields_ == b.fields_ && a.map_key_ == b.map_key_;
  }

 private:
  std::vector<const google::protobuf::FieldDescriptor*> fields_;
  std::optional<std::string> map_key_;
  std::string text_;
};

}  // namespace culvert::resource
