#include "resource/field_path.h"

#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert::resource {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

// "create-Time" is create_time as well; "cre_ate_time" is not.
const FieldDescriptor* FindField(std::string_view name, const Descriptor& type) {
  std::string snake(name);
  for (char& c : snake) {
    if (c == '-') c = '_';
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (EqualsIgnoreCase(snake, field->name()) || EqualsIgnoreCase(name, field->camelcase_name())) {
      return field;
    }
  }
  return nullptr;
}

std::string WithoutEscapes(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\\.") ++i;
    plain += text[i];
  }
  return plain;
}

absl::Status Refused(std::string_view path, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("field path '{}': {}", Printable(path), why));
}

}  // namespace

PathKind ElementKindOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return PathKind::kBool;
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return PathKind::kInteger;
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return PathKind::kDouble;
    case FieldDescriptor::CPPTYPE_ENUM:
      return PathKind::kEnum;
    case FieldDescriptor::CPPTYPE_STRING:
      return PathKind::kString;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return field.message_type()->full_name() == "google.protobuf.Timestamp" ? PathKind::kTimestamp
                                                                          : PathKind::kMessage;
}

PathKind KindOf(const FieldDescriptor& field) {
  if (field.is_map()) return PathKind::kMap;
  return field.is_repeated() ? PathKind::kList : ElementKindOf(field);
}

absl::StatusOr<FieldPath> FieldPath::Parse(std::string_view text, const Descriptor& type) {
  if (text.size() > kMostBytes) return Refused(text, "longer than 1024 bytes");
  const std::string plain = WithoutEscapes(text);
  FieldPath path;
  const Descriptor* in = &type;
  for (size_t at = 0;;) {
    const size_t dot = plain.find('.', at);
    const std::string name = plain.substr(at, dot == std::string::npos ? dot : dot - at);
    const FieldDescriptor* field = FindField(name, *in);
    if (field == nullptr) {
      return Refused(text, fmt::format("{} has no field '{}'", in->full_name(), Printable(name)));
    }
    path.fields_.push_back(field);
    path.text_ += (path.text_.empty() ? "" : ".") + field->name();
    if (dot == std::string::npos) return path;
    at = dot + 1;
    const PathKind kind = KindOf(*field);
    if (kind == PathKind::kMap) {
      if (at == plain.size()) return Refused(text, fmt::format("'{}.' lacks a key", path.text_));
      path.map_key_ = plain.substr(at);
      if (path.map_key_->find('\\') != std::string::npos) {
        return Refused(text, "a key with a backslash cannot be named");
      }
      path.text_ += "." + *path.map_key_;
      return path;
    }
    if (kind != PathKind::kMessage) {
      return Refused(text, fmt::format("'{}' has no parts that a path could name", path.text_));
    }
    in = field->message_type();
  }
}

const FieldDescriptor& FieldPath::leaf() const {
  const FieldDescriptor* last = fields_.back();
  return map_key_ ? *last->message_type()->map_value() : *last;
}

bool FieldPath::is_resource_name() const {
  return fields_.size() == 1 && fields_.front()->name() == "name" &&
         KindOf(*fields_.front()) == PathKind::kString;
}

Value FieldPath::Read(const Message& message) const {
  const Message* in = &message;
  for (size_t i = 0; i + 1 < fields_.size(); ++i) {
    if (!in->GetReflection()->HasField(*in, fields_[i])) return Null{};
    in = &in->GetReflection()->GetMessage(*in, fields_[i]);
  }
  if (!map_key_) return ReadField(*in, *fields_.back());
  // Reflection looks entries up for its friends only; a map of labels is short.
  const auto* reflection = in->GetReflection();
  for (int i = 0, size = reflection->FieldSize(*in, fields_.back()); i < size; ++i) {
    const Message& entry = reflection->GetRepeatedMessage(*in, fields_.back(), i);
    if (EntryKey(entry) == *map_key_) return EntryValue(entry);
  }
  return Null{};
}

}  // namespace culvert::resource
