#include "web/transcoding.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "web/query.h"

namespace culvert::web {
namespace {

namespace pb = google::protobuf;

std::unique_ptr<pb::Message> NewMessage(const pb::Descriptor& type) {
  const pb::Message* const prototype = pb::MessageFactory::generated_factory()->GetPrototype(&type);
  CULVERT_CHECK(prototype != nullptr);
  return std::unique_ptr<pb::Message>(prototype->New());
}

absl::Status ParseJson(std::string_view json, pb::Message& message) {
  const auto parsed =
      pb::util::JsonStringToMessage(pb::StringPiece(json.data(), json.size()), &message);
  if (parsed.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("JSON of a {}: {}", message.GetDescriptor()->name(),
                  Printable(std::string_view(parsed.message().data(), parsed.message().size()))));
}

Bytes Serialize(const pb::Message& message) { return Bytes(message.SerializeAsString()); }

absl::Status SetFromBody(Route::Body body, const std::string& text, pb::Message& request) {
  if (body == Route::Body::kRequest) {
    return text.empty() ? absl::OkStatus() : ParseJson(text, request);
  }
  if (body == Route::Body::kNone) {
    return text.empty() ? absl::OkStatus() : absl::InvalidArgumentError("no body is expected");
  }
  if (text.empty()) return absl::InvalidArgumentError("expected a project in JSON as the body");
  const auto* const field = request.GetDescriptor()->FindFieldByName("project");
  CULVERT_CHECK(field != nullptr);
  return ParseJson(text, *request.GetReflection()->MutableMessage(&request, field));
}

// The fields of a request that are in the path or the body.
std::vector<std::string_view> FieldsElsewhere(const Route& route) {
  std::vector<std::string_view> fields;
  if (route.body == Route::Body::kProject) fields.emplace_back("project");
  if (!route.variable.empty()) {
    fields.push_back(route.variable.substr(0, route.variable.find('.')));
  }
  return fields;
}

}  // namespace

absl::StatusOr<Bytes> MakeRequest(const RouteMatch& match, std::string_view query,
                                  const HttpRequest& http) {
  const Route& route = *match.route;
  const std::unique_ptr<pb::Message> request = NewMessage(*route.rpc->input_type());
  CULVERT_RETURN_IF_ERROR(SetFromBody(route.body, http.body, *request));
  CULVERT_RETURN_IF_ERROR(SetFromQuery(query, *request, FieldsElsewhere(route)));
  if (!route.variable.empty()) SetTextField(route.variable, match.variable, *request);
  if (route.http_method == "PATCH") {
    const auto* const mask = request->GetDescriptor()->FindFieldByName("update_mask");
    if (!request->GetReflection()->HasField(*request, mask)) {
      return absl::InvalidArgumentError("PATCH needs update_mask: PUT changes the whole project");
    }
  }
  return Serialize(*request);
}

absl::StatusOr<Bytes> FromJson(const pb::Descriptor& type, std::string_view json) {
  const std::unique_ptr<pb::Message> message = NewMessage(type);
  CULVERT_RETURN_IF_ERROR(ParseJson(json, *message));
  return Serialize(*message);
}

absl::StatusOr<std::string> ToJson(const pb::Descriptor& type, const rpc::Frame& frame) {
  const std::unique_ptr<pb::Message> message = NewMessage(type);
  const std::string text = frame.head + std::string(frame.body.view());
  if (!message->ParseFromString(text)) return absl::InternalError("answer does not parse");
  std::string json;
  if (!pb::util::MessageToJsonString(*message, &json).ok()) {
    return absl::InternalError("answer has no JSON");
  }
  return json;
}

}  // namespace culvert::web
