#include "web/open_api.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "web/route.h"

namespace culvert::web {
namespace {

using Version = rpc::StreamInfo::Version;

TEST_CASE("OpenApiDocument has each route of its versions and no other", "[web]") {
  const auto document = nlohmann::json::parse(OpenApiDocument({Version::kV1Alpha2}));
  size_t operations = 0;
  for (const auto& [path, methods] : document["paths"].items()) {
    CHECK(path.rfind("/v1alpha2", 0) == 0);
    operations += methods.size();
  }
  CHECK(operations == Routes().size() / 2);
  CHECK(document["paths"]["/v1alpha2/projects/{project}:watch"]["post"]["operationId"] ==
        "ntt.proxies.v1alpha2.ProjectService.WatchProject");
}

TEST_CASE("OpenApiDocument has a schema for all that it refers to", "[web]") {
  const std::string text = OpenApiDocument({Version::kV1, Version::kV1Alpha2});
  const auto document = nlohmann::json::parse(text);
  const std::string start = "#/components/schemas/";
  size_t references = 0;
  for (size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    const size_t name = at + start.size();
    ++references;
    CHECK(
        document["components"]["schemas"].contains(text.substr(name, text.find('"', name) - name)));
  }
  CHECK(references > 50);
}

}  // namespace
}  // namespace culvert::web
