#include "web/request_rules.h"

#include "tests/support/catch.h"

namespace culvert::web {
namespace {

HttpRequest With(std::vector<HttpField> fields) {
  HttpRequest request;
  request.method = "GET";
  request.target = "/v1/projects";
  request.fields = std::move(fields);
  return request;
}

unsigned CodeOf(const std::optional<HttpAnswer>& answer) { return answer ? answer->code : 0; }

TEST_CASE("RefuseHead refuses what only a browser sends", "[web]") {
  for (const bool plain : {false, true}) {
    const HttpField host{"host", "localhost"};
    CHECK(CodeOf(RefuseHead(With({host}), plain)) == 0);
    CHECK(CodeOf(RefuseHead(With({host, {"sec-fetch-site", "none"}}), plain)) == 0);
    CHECK(CodeOf(RefuseHead(With({host, {"origin", "null"}}), plain)) == 403);
    CHECK(CodeOf(RefuseHead(With({host, {"origin", ""}}), plain)) == 403);
    CHECK(CodeOf(RefuseHead(With({host, {"sec-fetch-site", "same-site"}}), plain)) == 403);
    CHECK(CodeOf(RefuseHead(With({host, {"sec-fetch-site", "none"}, {"sec-fetch-site", "none"}}),
                            plain)) == 403);
  }
}

TEST_CASE("RefuseHead takes names of this machine alone where there is no TLS", "[web]") {
  for (const char* host : {"localhost", "LOCALHOST:7490", "127.0.0.1", "127.0.0.1:7490",
                           "127.9.9.9", "[::1]", "[::1]:7490"}) {
    CAPTURE(host);
    CHECK(CodeOf(RefuseHead(With({{"host", host}}), true)) == 0);
  }
  for (const char* host : {"", "example.org", "localhost.example.org", "127.0.0.1.example.org",
                           "10.0.0.1", "[::2]", "::1", "127.0.0.1@example.org", "2130706433"}) {
    CAPTURE(host);
    CHECK(CodeOf(RefuseHead(With({{"host", host}}), true)) == 403);
    CHECK(CodeOf(RefuseHead(With({{"host", host}}), false)) == 0);
  }
}

TEST_CASE("RefuseHead refuses targets and expectations that it does not know", "[web]") {
  for (const char* target : {"*", "http://localhost/v1/projects", "", "v1", "/v1#x"}) {
    HttpRequest request = With({{"host", "localhost"}});
    request.target = target;
    CHECK(CodeOf(RefuseHead(request, false)) == 400);
  }
  CHECK(CodeOf(RefuseHead(With({{"expect", "100-Continue"}}), false)) == 0);
  CHECK(CodeOf(RefuseHead(With({{"expect", "more"}}), false)) == 417);
}

TEST_CASE("RefuseBody takes JSON alone", "[web]") {
  HttpRequest request = With({{"content-type", "Application/JSON; charset=utf-8"}});
  request.body = "{}";
  CHECK(CodeOf(RefuseBody(request)) == 0);
  for (const auto& fields : std::vector<std::vector<HttpField>>{
           {},
           {{"content-type", "text/plain"}},
           {{"content-type", "application/x-www-form-urlencoded"}},
           {{"content-type", "application/jsonp"}},
           {{"content-type", "application/json"}, {"content-type", "application/json"}}}) {
    HttpRequest other = With(fields);
    CHECK(CodeOf(RefuseBody(other)) == 0);  // there is no body
    other.body = "{}";
    CHECK(CodeOf(RefuseBody(other)) == 415);
  }
}

}  // namespace
}  // namespace culvert::web
