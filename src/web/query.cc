#include "web/query.h"

#include <fmt/format.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

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

bool AreDigits(std::string_view value) {
  return !value.empty() && value.find_first_not_of("-0123456789") == std::string_view::npos;
}

// `value` as protobuf's JSON has it; nothing if it cannot be that.
std::optional<nlohmann::json> ToJsonValue(const pb::FieldDescriptor& field,
                                          const std::string& value) {
  switch (field.cpp_type()) {
    case Type::CPPTYPE_BOOL:
      if (value != "true" && value != "false") return std::nullopt;
      return value == "true";
    case Type::CPPTYPE_ENUM: {
      if (!AreDigits(value)) return value;
      const auto number = nlohmann::json::parse(value, nullptr, false);
      if (!number.is_number_integer()) return std::nullopt;
      return number;
    }
    default:
      return value;
  }
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

absl::Status SetValue(std::string_view name, const std::string& value, const Place& place) {
  if (IsWellKnown(*place.field) && place.field->message_type() == pb::FieldMask::descriptor()) {
    SetMask(place, value);
    return absl::OkStatus();
  }
  std::optional<nlohmann::json> json = ToJsonValue(*place.field, value);
  if (!json) return BadParameter(name, "true or false, or a number, was expected");
  if (place.field->is_repeated()) json = nlohmann::json::array({*std::move(json)});
  const nlohmann::json object = {{place.field->json_name(), *std::move(json)}};
  const std::unique_ptr<pb::Message> part(place.message->New());
  using Handler = nlohmann::json::error_handler_t;
  const auto parsed =
      pb::util::JsonStringToMessage(object.dump(-1, ' ', false, Handler::replace), part.get());
  if (!parsed.ok()) return BadParameter(name, "the value does not fit the field");
  place.message->MergeFrom(*part);
  return absl::OkStatus();
}

absl::Status SetParameter(std::string_view parameter,
                          std::set<std::pair<const void*, const void*>>& set,
                          pb::Message& request) {
  const size_t equals = std::min(parameter.find('='), parameter.size());
  const auto name = PercentDecode(parameter.substr(0, equals), /*plus=*/true);
  if (!name) return BadParameter(parameter, kBadText);
  CULVERT_ASSIGN_OR_RETURN(const Place place, FindPlace(*name, request));
  const auto value =
      PercentDecode(parameter.substr(std::min(equals + 1, parameter.size())), /*plus=*/true);
  if (!value) return BadParameter(*name, kBadText);
  const bool is_first = set.insert({place.message, place.field}).second;
  if (!is_first && !place.field->is_repeated()) return BadParameter(*name, "is there twice");
  return SetValue(*name, *value, place);
}

}  // namespace

absl::Status SetFromQuery(std::string_view query, pb::Message& request) {
  std::set<std::pair<const void*, const void*>> set;
  for (size_t start = 0; start < query.size();) {
    const size_t end = std::min(query.find('&', start), query.size());
    if (end > start) {
      CULVERT_RETURN_IF_ERROR(SetParameter(query.substr(start, end - start), set, request));
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
