#include "web/query.h"

#include <fmt/format.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "web/route.h"

namespace culvert::web {
namespace {

namespace pb = google::protobuf;
using Type = pb::FieldDescriptor::CppType;

constexpr char kBadText[] = "a % escape is none, or what it stands for is no UTF-8";

absl::Status BadParameter(std::string_view name, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("parameter {}: {}", Printable(name, 64), why));
}

const pb::FieldDescriptor* FindField(const pb::Descriptor& type, std::string_view name) {
  const std::string text(name);
  const pb::FieldDescriptor* const field = type.FindFieldByName(text);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(text);
}

bool IsWellKnown(const pb::FieldDescriptor& field) {
  return field.cpp_type() == Type::CPPTYPE_MESSAGE &&
         field.message_type()->full_name().rfind("google.protobuf.", 0) == 0;
}

// Where a name leads to.
struct Place {
  pb::Message* message = nullptr;
  const pb::FieldDescriptor* field = nullptr;
};

absl::StatusOr<Place> FindPlace(std::string_view name, pb::Message& request) {
  Place place{&request, nullptr};
  for (size_t start = 0;;) {
    const size_t dot = name.find('.', start);
    place.field = FindField(*place.message->GetDescriptor(), name.substr(start, dot - start));
    if (place.field == nullptr) return BadParameter(name, "there is no such field");
    if (place.field->is_map()) return BadParameter(name, "a map cannot be in a query");
    const bool is_message = place.field->cpp_type() == Type::CPPTYPE_MESSAGE;
    if (dot == std::string_view::npos) {
      if (!is_message || IsWellKnown(*place.field)) return place;
      return BadParameter(name, "name one of its fields");
    }
    if (!is_message || IsWellKnown(*place.field) || place.field->is_repeated()) {
      return BadParameter(name, "there is no such field");
    }
    place.message = place.message->GetReflection()->MutableMessage(place.message, place.field);
    start = dot + 1;
  }
}

// A number in decimal, and nothing beside it.
template <class Number>
std::optional<Number> ReadNumber(const std::string& value) {
  Number number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return number;
}

template <class Number>
using Setter = void (pb::Reflection::*)(pb::Message*, const pb::FieldDescriptor*, Number) const;

template <class Number>
bool SetNumber(const Place& place, const std::string& value, Setter<Number> set,
               Setter<Number> add) {
  const std::optional<Number> number = ReadNumber<Number>(value);
  if (!number) return false;
  const pb::Reflection& reflection = *place.message->GetReflection();
  (reflection.*(place.field->is_repeated() ? add : set))(place.message, place.field, *number);
  return true;
}

bool SetBool(const Place& place, const std::string& value) {
  if (value != "true" && value != "false") return false;
  const pb::Reflection& reflection = *place.message->GetReflection();
  const auto set = place.field->is_repeated() ? &pb::Reflection::AddBool : &pb::Reflection::SetBool;
  (reflection.*set)(place.message, place.field, value == "true");
  return true;
}

bool SetEnum(const Place& place, const std::string& value) {
  const pb::EnumValueDescriptor* const named = place.field->enum_type()->FindValueByName(value);
  const std::optional<int> number = named != nullptr ? named->number() : ReadNumber<int>(value);
  if (!number) return false;
  const pb::Reflection& reflection = *place.message->GetReflection();
  const auto set =
      place.field->is_repeated() ? &pb::Reflection::AddEnumValue : &pb::Reflection::SetEnumValue;
  (reflection.*set)(place.message, place.field, *number);
  return true;
}

bool SetText(const Place& place, const std::string& value) {
  std::string text = value;
  if (place.field->type() == pb::FieldDescriptor::TYPE_BYTES &&
      !absl::Base64Unescape(value, &text) && !absl::WebSafeBase64Unescape(value, &text)) {
    return false;
  }
  const pb::Reflection& reflection = *place.message->GetReflection();
  if (place.field->is_repeated()) {
    reflection.AddString(place.message, place.field, std::move(text));
  } else {
    reflection.SetString(place.message, place.field, std::move(text));
  }
  return true;
}

// A message that has its own text in protobuf's JSON.
bool SetWellKnown(const Place& place, const std::string& value) {
  nlohmann::json json = value;
  if (place.field->is_repeated()) json = nlohmann::json::array({std::move(json)});
  const nlohmann::json object = {{place.field->json_name(), std::move(json)}};
  const std::unique_ptr<pb::Message> part(place.message->New());
  using Handler = nlohmann::json::error_handler_t;
  const std::string text = object.dump(-1, ' ', false, Handler::replace);
  if (!pb::util::JsonStringToMessage(text, part.get()).ok()) return false;
  place.message->MergeFrom(*part);
  return true;
}

// Of a comma list; the spelling of paths is judged by who reads the mask.
void SetMask(const Place& place, std::string_view value) {
  auto& mask = dynamic_cast<pb::FieldMask&>(
      *place.message->GetReflection()->MutableMessage(place.message, place.field));
  for (size_t start = 0; start <= value.size();) {
    const size_t comma = std::min(value.find(',', start), value.size());
    if (comma > start) mask.add_paths(std::string(value.substr(start, comma - start)));
    start = comma + 1;
  }
}

bool SetValue(const Place& place, const std::string& value) {
  using R = pb::Reflection;
  switch (place.field->cpp_type()) {
    case Type::CPPTYPE_BOOL:
      return SetBool(place, value);
    case Type::CPPTYPE_ENUM:
      return SetEnum(place, value);
    case Type::CPPTYPE_INT32:
      return SetNumber<int32_t>(place, value, &R::SetInt32, &R::AddInt32);
    case Type::CPPTYPE_UINT32:
      return SetNumber<uint32_t>(place, value, &R::SetUInt32, &R::AddUInt32);
    case Type::CPPTYPE_INT64:
      return SetNumber<pb::int64>(place, value, &R::SetInt64, &R::AddInt64);
    case Type::CPPTYPE_UINT64:
      return SetNumber<pb::uint64>(place, value, &R::SetUInt64, &R::AddUInt64);
    case Type::CPPTYPE_FLOAT:
      return SetNumber<float>(place, value, &R::SetFloat, &R::AddFloat);
    case Type::CPPTYPE_DOUBLE:
      return SetNumber<double>(place, value, &R::SetDouble, &R::AddDouble);
    case Type::CPPTYPE_STRING:
      return SetText(place, value);
    case Type::CPPTYPE_MESSAGE:
      break;
  }
  if (place.field->message_type() != pb::FieldMask::descriptor()) {
    return SetWellKnown(place, value);
  }
  SetMask(place, value);
  return true;
}

// Where a place was set already, by message and field.
using Places = std::set<std::pair<const void*, const void*>>;

absl::Status CheckNotElsewhere(std::string_view name, const pb::Message& request,
                               const std::vector<std::string_view>& elsewhere) {
  const auto* const field = FindField(*request.GetDescriptor(), name.substr(0, name.find('.')));
  if (field != nullptr &&
      std::find(elsewhere.begin(), elsewhere.end(), field->name()) != elsewhere.end()) {
    return BadParameter(name, "the path or the body says that");
  }
  return absl::OkStatus();
}

absl::Status SetParameter(std::string_view parameter,
                          const std::vector<std::string_view>& elsewhere, Places& set,
                          pb::Message& request) {
  const size_t equals = std::min(parameter.find('='), parameter.size());
  const auto name = PercentDecode(parameter.substr(0, equals), /*plus=*/true);
  if (!name) return BadParameter(parameter, kBadText);
  CULVERT_RETURN_IF_ERROR(CheckNotElsewhere(*name, request, elsewhere));
  CULVERT_ASSIGN_OR_RETURN(const Place place, FindPlace(*name, request));
  const auto value =
      PercentDecode(parameter.substr(std::min(equals + 1, parameter.size())), /*plus=*/true);
  if (!value) return BadParameter(*name, kBadText);
  const bool is_first = set.insert({place.message, place.field}).second;
  if (!is_first && !place.field->is_repeated()) return BadParameter(*name, "is there twice");
  // A value that is the default would not take the place of another.
  if (is_first) place.message->GetReflection()->ClearField(place.message, place.field);
  if (SetValue(place, *value)) return absl::OkStatus();
  const bool is_bool = place.field->cpp_type() == Type::CPPTYPE_BOOL;
  return BadParameter(*name,
                      is_bool ? "expected true or false" : "the value does not fit the field");
}

}  // namespace

absl::Status SetFromQuery(std::string_view query, pb::Message& request,
                          const std::vector<std::string_view>& elsewhere) {
  Places set;
  size_t count = 0;
  for (size_t start = 0; start < query.size();) {
    const size_t end = std::min(query.find('&', start), query.size());
    if (end > start && ++count > kMostParameters) {
      return absl::InvalidArgumentError(
          fmt::format("query: more than {} parameters", kMostParameters));
    }
    if (end > start) {
      CULVERT_RETURN_IF_ERROR(
          SetParameter(query.substr(start, end - start), elsewhere, set, request));
    }
    start = end + 1;
  }
  return absl::OkStatus();
}

void SetTextField(std::string_view path, const std::string& value, pb::Message& request) {
  const absl::StatusOr<Place> place = FindPlace(path, request);
  CULVERT_CHECK(place.ok());
  place->message->GetReflection()->SetString(place->message, place->field, value);
}

}  // namespace culvert::web
