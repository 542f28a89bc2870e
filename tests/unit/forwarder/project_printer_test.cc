#include "forwarder/project_printer.h"

#include <google/protobuf/util/time_util.h>

#include <string>
#include <tuple>
#include <vector>

#include "forwarder/documents.h"
#include "forwarder/project_json.h"
#include "tests/support/catch.h"

namespace culvert::forwarder {
namespace {

using google::protobuf::util::TimeUtil;
using Output = config::ProjectsConfig::Output;
using Shape = ProjectPrinter::Shape;

constexpr int64_t kNow = 1'800'000'000;

Project Made(const std::string& name) {
  Project project;
  project.set_name(name);
  auto& meta = *project.mutable_metadata();
  *meta.mutable_create_time() = TimeUtil::SecondsToTimestamp(kNow - 90);
  *meta.mutable_update_time() = TimeUtil::SecondsToTimestamp(kNow - 5);
  meta.set_generation(2);
  meta.set_uuid("u-1");
  (*meta.mutable_labels())["team"] = "core";
  (*meta.mutable_labels())["env"] = "prod";
  project.mutable_multi_region_policy()->add_enabled_regions("east");
  return project;
}

// All of what is printed of two pieces.
std::string Printed(Output output, bool headers = true) {
  Project lab = Made("projects/lab");
  Project bare;
  bare.set_name("projects/\x1b[2J");
  ProjectPrinter printer(output, Shape::kMany, headers, kNow);
  const std::string first = printer.Piece({&lab});
  return first + printer.Piece({}) + printer.Piece({&bare}) + printer.End();
}

TEST_CASE("A table has columns, one header over all pages, and no control characters",
          "[project_printer]") {
  CHECK(Printed(Output::kTable) ==
        "NAME           GENERATION   AGE   LABELS\n"
        "projects/lab   2            90s   env=prod,team=core\n"
        "projects/\\x1b[2J   <none>       <none>   <none>\n");
  CHECK(Printed(Output::kTable, /*headers=*/false) ==
        "projects/lab   2            90s   env=prod,team=core\n"
        "projects/\\x1b[2J   <none>       <none>   <none>\n");
  const std::string wide = Printed(Output::kWide);
  CHECK(wide.find("CREATED                UPDATED                UUID   REGIONS   LABELS\n") !=
        std::string::npos);
  CHECK(wide.find("90s   2027-01-15T07:58:30Z   2027-01-15T07:59:55Z   u-1    east      env=") !=
        std::string::npos);
}

TEST_CASE("JSON is one array over all pages", "[project_printer]") {
  const std::string text = Printed(Output::kJson);
  const auto array = ReadDocuments(text, "f");
  REQUIRE(array.ok());
  REQUIRE(array->size() == 2);
  CHECK((*array)[0]["name"] == "projects/lab");
  CHECK((*array)[0]["metadata"]["generation"] == "2");
  CHECK((*array)[0]["metadata"]["createTime"] == "2027-01-15T07:58:30Z");
  CHECK((*array)[1]["name"] == "projects/\x1b[2J");
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.substr(0, 4) == "[\n  ");
  CHECK(text.substr(text.size() - 3) == "\n]\n");
  CHECK(ProjectPrinter(Output::kJson, Shape::kMany, true, kNow).End() == "[]\n");
}

TEST_CASE("JSON of one project is the object", "[project_printer]") {
  const Project lab = Made("projects/lab");
  ProjectPrinter printer(Output::kJson, Shape::kOne, true, kNow);
  const std::string text = printer.Piece({&lab}) + printer.End();
  CHECK(text.substr(0, 2) == "{\n");
  CHECK(JsonValue::parse(text) == ProjectToJson(lab));
}

TEST_CASE("YAML is a document for each project, and can be taken back", "[project_printer]") {
  const std::string text = Printed(Output::kYaml);
  const auto documents = ReadDocuments(text, "f");
  REQUIRE(documents.ok());
  REQUIRE(documents->size() == 2);
  const auto read = ProjectFromJson((*documents)[0], "f");
  REQUIRE(read.ok());
  CHECK(ProjectToJson(*read) == ProjectToJson(Made("projects/lab")));
  CHECK((*documents)[1]["name"] == "projects/\x1b[2J");
}

TEST_CASE("Names are a line each", "[project_printer]") {
  CHECK(Printed(Output::kName) == "projects/lab\nprojects/\\x1b[2J\n");
}

TEST_CASE("What is no project says so in one line", "[project_printer]") {
  using Row = std::tuple<std::string, std::string>;
  const auto [text, words] = GENERATE(table<std::string, std::string>({
      Row{"metadata: {labelz: {a: b}}", "f: (metadata) labelz: Cannot find field."},
      Row{"metadata: {labels: {version: 1.10}}",
          "f: (metadata.labels[0].value): invalid value 1.1 for type TYPE_STRING"},
  }));
  const auto documents = ReadDocuments(text, "f");
  REQUIRE(documents.ok());
  const auto project = ProjectFromJson(documents->front(), "f");
  CHECK(project.status().message() == words);
}

TEST_CASE("An age has at most two units", "[project_printer]") {
  using Row = std::tuple<int64_t, std::string>;
  const auto [seconds, text] = GENERATE(table<int64_t, std::string>({
      Row{-5, "0s"},
      Row{119, "119s"},
      Row{120, "2m"},
      Row{150, "2m30s"},
      Row{3600, "60m"},
      Row{4 * 3600 + 60, "4h1m"},
      Row{86400, "24h"},
      Row{3 * 86400 + 7200, "3d2h"},
      Row{30 * 86400, "30d"},
      Row{3 * 365 * 86400, "3y"},
      Row{9 * 365 * 86400 + 86400, "9y"},
  }));
  CHECK(AgeText(seconds) == text);
}

}  // namespace
}  // namespace culvert::forwarder
