#include "web/pages.h"

#include <string>

#include "web/open_api.h"

namespace culvert::web {
namespace {

using Version = rpc::StreamInfo::Version;

HttpAnswer Document(const std::vector<Version>& versions) {
  HttpAnswer answer;
  answer.body = OpenApiDocument(versions);
  return answer;
}

HttpAnswer HealthPage(bool is_draining) {
  HttpAnswer answer;
  answer.code = is_draining ? 503 : 200;
  answer.type = "text/plain; charset=utf-8";
  answer.body = is_draining ? "draining\n" : "ok\n";
  return answer;
}

}  // namespace

std::optional<HttpAnswer> FindPage(std::string_view method, std::string_view path,
                                   bool is_draining) {
  if (method != "GET" && method != "HEAD") return std::nullopt;
  static const auto* const both = new HttpAnswer(Document({Version::kV1, Version::kV1Alpha2}));
  static const auto* const v1 = new HttpAnswer(Document({Version::kV1}));
  static const auto* const v1alpha2 = new HttpAnswer(Document({Version::kV1Alpha2}));
  if (path == "/healthz") return HealthPage(is_draining);
  if (path == "/openapi.json") return *both;
  if (path == "/v1/openapi.json") return *v1;
  if (path == "/v1alpha2/openapi.json") return *v1alpha2;
  return std::nullopt;
}

}  // namespace culvert::web
