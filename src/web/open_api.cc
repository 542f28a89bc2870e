#include "web/open_api.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_replace.h"
#include "web/route.h"

namespace culvert::web {
namespace {

namespace pb = google::protobuf;
using Json = nlohmann::ordered_json;

constexpr char kJsonType[] = "application/json";
constexpr char kLinesType[] = "application/x-ndjson";
// Of messages that are in each other without an end, only as deep as is of use in a query.
constexpr int kMostQueryDepth = 4;

Json Reference(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

// Writes the schemas of messages, and of those in them.
class Schemas {
 public:
  Json Of(const pb::Descriptor& type) {
    if (Json known = WellKnown(type); !known.is_null()) return known;
    if (!schemas_.contains(type.full_name())) {
      schemas_[type.full_name()] = nullptr;  // it may be in itself
      Json properties = Json::object();
      for (int i = 0; i < type.field_count(); ++i) {
        properties[type.field(i)->json_name()] = Of(*type.field(i));
      }
      schemas_[type.full_name()] = {{"type", "object"}, {"properties", properties}};
    }
    return Reference(type.full_name());
  }

  // Of one value, if the field repeats.
  Json OfValue(const pb::FieldDescriptor& field) {
    using Type = pb::FieldDescriptor::CppType;
    switch (field.cpp_type()) {
      case Type::CPPTYPE_MESSAGE:
        return Of(*field.message_type());
      case Type::CPPTYPE_ENUM:
        return OfEnum(*field.enum_type());
      case Type::CPPTYPE_BOOL:
        return {{"type", "boolean"}};
      case Type::CPPTYPE_INT32:
        return {{"type", "integer"}, {"format", "int32"}};
      case Type::CPPTYPE_UINT32:
        return {{"type", "integer"}, {"format", "uint32"}};
      case Type::CPPTYPE_INT64:
        return {{"type", "string"}, {"format", "int64"}};
      case Type::CPPTYPE_UINT64:
        return {{"type", "string"}, {"format", "uint64"}};
      case Type::CPPTYPE_DOUBLE:
      case Type::CPPTYPE_FLOAT:
        return {{"type", "number"}};
      case Type::CPPTYPE_STRING:
        break;
    }
    if (field.type() == pb::FieldDescriptor::TYPE_BYTES) {
      return {{"type", "string"}, {"format", "byte"}};
    }
    return {{"type", "string"}};
  }

  Json& all() { return schemas_; }

 private:
  Json Of(const pb::FieldDescriptor& field) {
    if (field.is_map()) {
      return {{"type", "object"},
              {"additionalProperties", OfValue(*field.message_type()->map_value())}};
    }
    if (field.is_repeated()) return {{"type", "array"}, {"items", OfValue(field)}};
    return OfValue(field);
  }

  // As protobuf's JSON has them.
  static Json WellKnown(const pb::Descriptor& type) {
    if (type.full_name() == "google.protobuf.Timestamp") {
      return {{"type", "string"}, {"format", "date-time"}};
    }
    if (type.full_name() == "google.protobuf.FieldMask") {
      return {{"type", "string"}, {"description", "Paths of fields with commas between them."}};
    }
    if (type.full_name() == "google.protobuf.Empty") return {{"type", "object"}};
    return nullptr;
  }

  Json OfEnum(const pb::EnumDescriptor& type) {
    Json values = Json::array();
    for (int i = 0; i < type.value_count(); ++i) values.push_back(type.value(i)->name());
    schemas_[type.full_name()] = {{"type", "string"}, {"enum", values}};
    return Reference(type.full_name());
  }

  Json schemas_ = Json::object();
};

Json StatusSchema() {
  return {{"type", "object"},
          {"properties",
           {{"code", {{"type", "integer"}, {"format", "int32"}}},
            {"message", {{"type", "string"}}},
            {"details", {{"type", "array"}, {"items", {{"type", "object"}}}}}}}};
}

Json Content(const char* type, const Json& schema) {
  return {{"content", {{type, {{"schema", schema}}}}}};
}

Json Parameter(const char* where, const std::string& name, bool required, const Json& schema) {
  return {{"name", name}, {"in", where}, {"required", required}, {"schema", schema}};
}

// What is in the path or is the body is not in the query.
bool IsElsewhere(const Route& route, const std::string& path) {
  return path == route.variable || (route.body == Route::Body::kProject && path == "project");
}

void AddQuery(const Route& route, const pb::Descriptor& type, const std::string& prefix, int depth,
              Schemas& schemas, Json& parameters) {
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (IsElsewhere(route, prefix + field.name()) || field.is_map()) continue;
    const std::string name = prefix + field.json_name();
    const bool is_message = field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE;
    const bool is_value =
        !is_message || field.message_type()->full_name().rfind("google.protobuf.", 0) == 0;
    if (is_value) {
      const Json value = schemas.OfValue(field);
      parameters.push_back(
          Parameter("query", name, false,
                    field.is_repeated() ? Json{{"type", "array"}, {"items", value}} : value));
    } else if (!field.is_repeated() && depth < kMostQueryDepth) {
      AddQuery(route, *field.message_type(), name + ".", depth + 1, schemas, parameters);
    }
  }
}

Json Responses(const Route& route, Schemas& schemas) {
  const Json answer = schemas.Of(*route.rpc->output_type());
  Json responses;
  if (route.kind == Route::Kind::kSocket) {
    responses["101"] = {{"description",
                         "A WebSocket. Text messages are JSON, binary ones protobuf; the end is a "
                         "close frame of 1000, or 4000 and the code of a google.rpc.Status."},
                        {"x-websocket-request", schemas.Of(*route.rpc->input_type())},
                        {"x-websocket-response", answer}};
  } else if (route.kind == Route::Kind::kLines) {
    responses["200"] = Content(kLinesType, answer);
    responses["200"]["description"] =
        "One answer a line. A last line {\"error\": google.rpc.Status} says why it ended.";
  } else {
    responses["200"] = Content(kJsonType, answer);
    responses["200"]["description"] = "The answer.";
  }
  responses["default"] = Content(kJsonType, Reference("google.rpc.Status"));
  responses["default"]["description"] = "Why there is no answer.";
  return responses;
}

Json Operation(const Route& route, Schemas& schemas) {
  Json parameters = Json::array();
  if (!route.variable.empty()) {
    parameters.push_back(Parameter("path", "project", true, {{"type", "string"}}));
  }
  if (route.kind != Route::Kind::kSocket) {
    AddQuery(route, *route.rpc->input_type(), "", 0, schemas, parameters);
  }
  const char* const suffix = route.http_method == "PATCH" ? ".PATCH" : "";
  Json operation = {{"operationId", route.rpc->full_name() + suffix},
                    {"tags", {route.rpc->service()->full_name()}},
                    {"parameters", parameters}};
  if (route.body != Route::Body::kNone) {
    const pb::Descriptor& request = *route.rpc->input_type();
    const bool is_project = route.body == Route::Body::kProject;
    operation["requestBody"] = Content(
        kJsonType,
        schemas.Of(is_project ? *request.FindFieldByName("project")->message_type() : request));
    operation["requestBody"]["required"] = is_project;
  }
  operation["responses"] = Responses(route, schemas);
  return operation;
}

}  // namespace

std::string OpenApiDocument(const std::vector<rpc::StreamInfo::Version>& versions) {
  Schemas schemas;
  schemas.all()["google.rpc.Status"] = StatusSchema();
  Json paths = Json::object();
  for (const Route& route : Routes()) {
    if (std::find(versions.begin(), versions.end(), route.version) == versions.end()) continue;
    const std::string path =
        std::string(PathPrefix(route.version)) +
        absl::StrReplaceAll({route.path.data(), route.path.size()}, {{"*", "{project}"}});
    std::string method(route.http_method);
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    paths[path][method] = Operation(route, schemas);
  }
  const Json document = {
      {"openapi", "3.0.3"},
      {"info",
       {{"title", "Culvert broker"},
        {"description",
         "Who asks is known by a client certificate, for which OpenAPI 3.0 has no word, or by a "
         "JSON Web Token."},
        {"version", versions.size() == 1 ? std::string(PathPrefix(versions.front()).substr(1))
                                         : std::string("v1, v1alpha2")}}},
      {"security", Json::array({{{"bearer", Json::array()}}, Json::object()})},
      {"paths", paths},
      {"components",
       {{"securitySchemes",
         {{"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}}}},
        {"schemas", schemas.all()}}}};
  return document.dump(1);
}

}  // namespace culvert::web
