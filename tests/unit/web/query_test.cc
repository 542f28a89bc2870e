#include "web/query.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include "base/status.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "tests/support/catch.h"

namespace culvert::web {
namespace {

namespace pb = ntt::proxies::v1;

template <class Message>
std::string Set(const std::string& query) {
  Message message;
  const absl::Status set = SetFromQuery(query, message);
  if (!set.ok()) return std::string(MessageOf(set));
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string text;
  printer.PrintToString(message, &text);
  if (!text.empty()) text.pop_back();  // a space
  return text;
}

TEST_CASE("SetFromQuery sets fields of every kind", "[web]") {
  auto [query, text] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"&&", ""},
      {"page_size=7&order_by=name+desc", R"(page_size: 7 order_by: "name desc")"},
      {"pageSize=-7&orderBy=name%20desc", R"(page_size: -7 order_by: "name desc")"},
      {"filter=a%3D%22b%26c%22", R"(filter: "a=\"b&c\"")"},
      {"filter=a=b", R"(filter: "a=b")"},
      {"filter", ""},
      {"view=NAME", "view: NAME"},
      {"view=4", "view: FULL"},
      {"field_mask=name,metadata.create_time,,metadata.labels",
       R"(field_mask { paths: "name" paths: "metadata.create_time" paths: "metadata.labels" })"},
      {"fieldMask=metadata.createTime", R"(field_mask { paths: "metadata.createTime" })"},
      {"type=STATELESS&starting_time=2024-01-02T03:04:05.5Z",
       "type: STATELESS starting_time { seconds: 1704164645 nanos: 500000000 }"},
  }));
  CAPTURE(query);
  CHECK(Set<pb::WatchProjectsRequest>(query) == text);
}

TEST_CASE("SetFromQuery reaches inner fields, repeats and booleans", "[web]") {
  CHECK(Set<pb::BatchGetProjectsRequest>("names=projects/a&names=projects/b") ==
        R"(names: "projects/a" names: "projects/b")");
  CHECK(Set<pb::UpdateProjectRequest>("cas.conditional_state.metadata.generation=9007199254740993&"
                                      "cas.fieldMask=metadata.generation&allowMissing=true") ==
        R"(cas { conditional_state { metadata { generation: 9007199254740993 } } )"
        R"(field_mask { paths: "metadata.generation" } } allow_missing: true)");
  CHECK(Set<pb::UpdateProjectRequest>("project.metadata.tags=a&project.metadata.tags=b") ==
        R"(project { metadata { tags: "a" tags: "b" } })");
}

TEST_CASE("SetFromQuery names the parameter that it cannot set", "[web]") {
  auto [query, message] = GENERATE(table<std::string, std::string>({
      {"nothing=1", "parameter nothing: there is no such field"},
      {"=1", "parameter : there is no such field"},
      {"project=1", "parameter project: name one of its fields"},
      {"project.=1", "parameter project.: there is no such field"},
      {"project.name.x=1", "parameter project.name.x: there is no such field"},
      {"update_mask.paths=a", "parameter update_mask.paths: there is no such field"},
      {"project.metadata.labels=a",
       "parameter project.metadata.labels: a map cannot be in a query"},
      {"project.metadata.owner_references.name=a",
       "parameter project.metadata.owner_references.name: there is no such field"},
      {"allow_missing=1", "parameter allow_missing: expected true or false"},
      {"allow_missing=", "parameter allow_missing: expected true or false"},
      {"allow_missing=true&allowMissing=true", "parameter allowMissing: is there twice"},
      {"project.metadata.generation=x",
       "parameter project.metadata.generation: the value does not fit the field"},
      {"project.metadata.generation=9223372036854775808",
       "parameter project.metadata.generation: the value does not fit the field"},
      {"project.metadata.lifecycle.state=NOT",
       "parameter project.metadata.lifecycle.state: the value does not fit the field"},
      {"project.metadata.create_time=now",
       "parameter project.metadata.create_time: the value does not fit the field"},
      {"project.name=%zz",
       "parameter project.name: a % escape is none, or what it stands for is no UTF-8"},
      {"update_mask=%ff",
       "parameter update_mask: a % escape is none, or what it stands for is no UTF-8"},
      {"na%fe=1", "parameter na%fe=1: a % escape is none, or what it stands for is no UTF-8"},
      {"%00%1b=1", R"(parameter \x00\x1b: there is no such field)"},
  }));
  CAPTURE(query);
  CHECK(Set<pb::UpdateProjectRequest>(query) == message);
}

TEST_CASE("SetFromQuery overrides what was there, with a default too", "[web]") {
  pb::WatchProjectsRequest request;
  request.set_page_size(7);
  request.set_view(goten::types::FULL);
  request.mutable_field_mask()->add_paths("metadata");
  request.mutable_starting_time()->set_seconds(5);
  REQUIRE(
      SetFromQuery("page_size=0&view=0&field_mask=name&starting_time=1970-01-01T00:00:00Z", request)
          .ok());
  CHECK(request.page_size() == 0);
  CHECK(request.view() == 0);
  REQUIRE(request.field_mask().paths_size() == 1);
  CHECK(request.field_mask().paths(0) == "name");
  CHECK(request.starting_time().seconds() == 0);
}

TEST_CASE("SetFromQuery leaves what is in the path or the body alone", "[web]") {
  pb::UpdateProjectRequest request;
  for (const char* name : {"project.name", "project.metadata.uid", "project"}) {
    CHECK(SetFromQuery(std::string(name) + "=a", request, {"project"}) ==
          absl::InvalidArgumentError(
              fmt::format("parameter {}: the path or the body says that", name)));
  }
  CHECK(SetFromQuery("allow_missing=true", request, {"project"}).ok());
}

TEST_CASE("SetFromQuery takes so many parameters and no more", "[web]") {
  std::string query;
  for (size_t i = 0; i < kMostParameters; ++i) query += "&names=projects/a";
  pb::BatchGetProjectsRequest request;
  REQUIRE(SetFromQuery(query, request).ok());
  CHECK(request.names_size() == static_cast<int>(kMostParameters));
  CHECK(SetFromQuery(query + "&names=b", request) ==
        absl::InvalidArgumentError("query: more than 1000 parameters"));
}

TEST_CASE("SetTextField sets an inner field over what was there", "[web]") {
  pb::UpdateProjectRequest request;
  request.mutable_project()->set_name("projects/other");
  SetTextField("project.name", "projects/lab", request);
  CHECK(request.project().name() == "projects/lab");
}

}  // namespace
}  // namespace culvert::web
