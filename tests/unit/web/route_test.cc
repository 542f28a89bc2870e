#include "web/route.h"

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert::web {
namespace {

using Method = rpc::StreamInfo::Method;
using Version = rpc::StreamInfo::Version;

TEST_CASE("MatchRoute finds the call of each binding, in both versions", "[web]") {
  auto [http_method, path, method, variable] =
      GENERATE(table<std::string, std::string, Method, std::string>({
          {"GET", "/projects", Method::kListProjects, ""},
          {"HEAD", "/projects", Method::kListProjects, ""},
          {"POST", "/projects", Method::kCreateProject, ""},
          {"GET", "/projects:batchGet", Method::kBatchGetProjects, ""},
          {"POST", "/projects:watch", Method::kWatchProjects, ""},
          {"GET", "/projects/lab", Method::kGetProject, "projects/lab"},
          {"PUT", "/projects/lab", Method::kUpdateProject, "projects/lab"},
          {"PATCH", "/projects/lab", Method::kUpdateProject, "projects/lab"},
          {"DELETE", "/projects/lab", Method::kDeleteProject, "projects/lab"},
          {"POST", "/projects/lab:watch", Method::kWatchProject, "projects/lab"},
          {"GET", "/projects/l%61b", Method::kGetProject, "projects/lab"},
          {"GET", "/projects/a%2Fb", Method::kGetProject, "projects/a/b"},
          {"GET", "/projects/a%253Ab", Method::kGetProject, "projects/a%3Ab"},
          {"GET", ":connect", Method::kConnect, ""},
          {"GET", ":listen", Method::kListen, ""},
          {"GET", ":accept", Method::kAccept, ""},
      }));
  for (const Version version : {Version::kV1, Version::kV1Alpha2}) {
    const auto match = MatchRoute(http_method, std::string(PathPrefix(version)) + path);
    REQUIRE(match.ok());
    CHECK(match->route->method == method);
    CHECK(match->route->version == version);
    CHECK(match->variable == variable);
  }
}

TEST_CASE("MatchRoute finds nothing at other paths", "[web]") {
  for (const char* path : {"",
                           "/",
                           "/v1",
                           "/v1/",
                           "/v1/projects/",
                           "/v1//projects",
                           "/v1/projects/a/b",
                           "/v1/projects/a:b",
                           "/v1/projects/:watch",
                           "/v1/projects/a:watch:watch",
                           "/v1/./projects",
                           "/v1/../v1/projects",
                           "/v1/Projects",
                           "/v1%2Fprojects",
                           "/v1/projects/%",
                           "/v1/projects/%4",
                           "/v1/projects/%4x",
                           "/v1/projects/%ff",
                           "/v2/projects",
                           "/v1:drop",
                           "v1/projects",
                           "/v1alpha2x/projects"}) {
    CAPTURE(path);
    CHECK(absl::IsNotFound(MatchRoute("GET", path).status()));
  }
}

TEST_CASE("MatchRoute names the methods that a path has", "[web]") {
  const auto match = MatchRoute("POST", "/v1/projects/lab");
  CHECK(absl::IsOutOfRange(match.status()));
  CHECK(MessageOf(match.status()) == "GET, PUT, PATCH, DELETE");
  CHECK(MessageOf(MatchRoute("HEAD", "/v1/projects:watch").status()) == "POST");
}

TEST_CASE("PercentDecode decodes once", "[web]") {
  CHECK(PercentDecode("a%20b+c%2B%25", false) == "a b+c+%");
  CHECK(PercentDecode("a%20b+c%2B%2525", true) == "a b c+%25");
  CHECK(PercentDecode("%e2%82%AC", false) == "\xe2\x82\xac");
  for (const char* text : {"%", "%4", "%4g", "%-1", "a%", "%ff", "%c0%80", "\xff"})
    CHECK(!PercentDecode(text, true));
}

}  // namespace
}  // namespace culvert::web
