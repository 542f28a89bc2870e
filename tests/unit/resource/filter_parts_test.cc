#include <google/protobuf/struct.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <cmath>
#include <string>
#include <vector>

#include "resource/filter.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/filter_rows.h"

namespace culvert::resource {
namespace {

TEST_CASE("Filter takes a dash in a name for any id", "[filter]") {
  CheckRows({
      {R"(name = "projects/lab-1")", "l"},
      {R"(name = "projects/-")", "lbde"},
      {R"(name != "projects/-")", ""},
      {R"(name != "projects/lab-1")", "bde"},
      {R"(name = "regions/-")", ""},
      {R"(name = "projects/-/regions/-")", ""},
      {R"(name IN ("projects/bare", "projects/edge"))", "be"},
      {R"(name IN ("projects/-"))", "lbde"},
      {R"(name NOT IN ("projects/-"))", ""},
      {R"(name > "projects/dev")", "lde"},
      {R"(name < "c")", ""},
      {R"(metadata.uuid = "-")", ""},
  });
}

TEST_CASE("Filter asks lists and maps what they contain", "[filter]") {
  CheckRows({
      {R"(metadata.tags CONTAINS "red")", "l"},
      {R"(metadata.tags CONTAIN "red")", "l"},
      {R"(metadata.tags HAS "red")", "l"},
      {R"(metadata.tags HAVE "red")", "l"},
      {R"(metadata.tags has value "red")", "l"},
      {R"(metadata.tags CONTAINS "blue")", ""},
      {R"(NOT metadata.tags CONTAINS "blue")", "lbde"},
      {R"(metadata.tags CONTAINS ANY ("blue", "red"))", "l"},
      {R"(metadata.tags CONTAINS ALL ["blue", "red"])", ""},
      {R"(metadata.tags CONTAINS ALL ("green", "red"))", "l"},
      {R"(multi_region_policy.enabled_regions CONTAINS "us")", "ld"},
      {R"(multi_region_policy.enabled_regions CONTAINS ALL ("us", "eu"))", "l"},
      {R"(metadata.labels CONTAINS "env")", "ld"},
      {R"(metadata.labels CONTAINS "prod")", ""},
      {R"(metadata.labels CONTAINS {"env": "prod"})", "l"},
      {R"(metadata.labels CONTAINS {"env": "prod", "team": "net"})", "l"},
      {R"(metadata.labels CONTAINS {"env": "prod", "team": "sec"})", ""},
      {R"(metadata.labels CONTAINS {"env": "prod", "none": "x"})", ""},
      {R"(metadata.labels CONTAINS ANY ("team", {"env": "dev"}))", "ld"},
      {R"(metadata.shards CONTAINS {"byName": 5})", "l"},
      {R"(metadata.shards CONTAINS {"byName": 6})", ""},
      {R"(metadata.owner_references CONTAINS {"kind": "Org", "name": "orgs/x", "controller": TRUE})",
       "l"},
      {R"(metadata.owner_references CONTAINS {"kind": "Org"})", ""},
  });
}

TEST_CASE("Filter compares objects with messages and maps", "[filter]") {
  CheckRows({
      {R"(metadata.labels = {"env": "dev"})", "d"},
      {R"(metadata.labels = {"env" "dev"})", "d"},
      {R"(metadata.labels = {"env": "prod"})", ""},
      {R"(metadata.labels = {"other": "dev"})", ""},
      {R"(metadata.labels != {"env": "dev"})", "l"},
      {R"(metadata.labels = {})", ""},
      {R"(metadata.labels IN ({"env": "dev"}))", "d"},
      {R"(metadata.lifecycle = {"state": "DELETING"})", "d"},
      {R"(metadata.lifecycle = {"state": 2})", "d"},
      {R"(metadata.lifecycle = {"state": "ACTIVE", "blockDeletion": TRUE})", "l"},
      {R"(metadata.lifecycle = {"state" "ACTIVE" "block_deletion" TRUE})", "l"},
      {R"(metadata.lifecycle != {"state": "DELETING"})", "l"},
      {R"(metadata.lifecycle IN ({"state": "DELETING"}, {}))", "d"},
      {R"(metadata = {})", "e"},
      {R"(metadata = {"createTime": "2026-01-31T08:00:00Z", "labels": {"env": "dev"},
          "generation": -1, "lifecycle": {"state": "DELETING", "blockDeletion": NULL}})",
       "d"},
      {R"(multi_region_policy = {"defaultControlRegion": "us"})", ""},
  });
}

TEST_CASE("Filter matches patterns with LIKE", "[filter]") {
  CheckRows({
      {R"(name LIKE "projects/%")", "lbde"},
      {R"(name LIKE "%-1")", "l"},
      {R"(name like "projects/____")", "be"},
      {R"(name LIKE "PROJECTS/%")", ""},
      {R"(NOT name LIKE "%e")", "ld"},
      {R"(metadata.labels.env LIKE "%d%")", "ld"},
      {R"(metadata.labels.env LIKE "%")", "ld"},
      {R"(metadata.annotations.note LIKE "50\\% off\\_x \\\\ caf_")", "l"},
      {R"(metadata.annotations.note LIKE "50\\%")", ""},
      {R"(metadata.uuid LIKE "")", "de"},
  });
}

TEST_CASE("Filter of another resource compares doubles, and NaN with nothing", "[filter]") {
  const auto [text, of_half, of_nan] = GENERATE(table<std::string, bool, bool>({
      {"value = 0.5", true, false},
      {"value != 0.5", false, false},
      {"value != 1", true, false},
      {"value < 1", true, false},
      {"value >= -9223372036854775808", true, false},
      {"value IN (1, 0.5)", true, false},
      {"value NOT IN (1, 0.5)", false, true},
      {"value IS NAN", false, true},
      {"value IS NOT NAN", true, false},
      {"NOT value IS NAN", true, false},
      {"value IS NULL", false, false},
  }));
  const auto filter = Filter::Parse(text, *google::protobuf::DoubleValue::descriptor());
  CAPTURE(text, filter.status().ToString());
  REQUIRE(filter.ok());
  google::protobuf::DoubleValue number;
  number.set_value(0.5);
  CHECK(filter->Matches(number) == of_half);
  number.set_value(std::nan(""));
  CHECK(filter->Matches(number) == of_nan);
}

TEST_CASE("Filter of another resource looks into maps of messages", "[filter]") {
  google::protobuf::Struct object;
  (*object.mutable_fields())["a"].set_number_value(1);
  (*object.mutable_fields())["b"];
  const auto matches = [&object](const std::string& text) {
    const auto filter = Filter::Parse(text, *google::protobuf::Struct::descriptor());
    CAPTURE(text, filter.status().ToString());
    REQUIRE(filter.ok());
    return filter->Matches(object);
  };
  CHECK(matches("fields.a IS NOT NULL AND fields.b IS NOT NULL AND fields.c IS NULL"));
  CHECK(matches("fields CONTAINS \"b\" AND NOT fields CONTAINS \"c\""));
}

TEST_CASE("Filter gives the conditions of its top level to an index", "[filter]") {
  const auto paths = [](const std::string& text) {
    std::string all;
    const auto filter = Filter::Parse(text, ProjectType());
    REQUIRE(filter.ok());
    for (const Comparison& comparison : filter->conjuncts()) {
      all += comparison.path.ToString() + " ";
    }
    return all;
  };
  CHECK(paths("") == "");
  CHECK(paths("metadata.generation = 3") == "metadata.generation ");
  CHECK(paths(R"(metadata.generation > 3 (name IN ("a/b", "a/c") AND metadata.uuid != "x"))") ==
        "metadata.generation name metadata.uuid ");
  CHECK(paths(R"(name = "projects/-" AND metadata.generation NOT IN (1))") == "");
  CHECK(paths(R"(name IN ("projects/a", "projects/-"))") == "");
  CHECK(paths("metadata.generation = 3 OR metadata.generation = 4") == "");
  CHECK(paths(R"(NOT metadata.generation = 3 AND metadata.labels = {} AND name LIKE "a")") == "");

  const auto filter = Filter::Parse(R"(metadata.labels.env IN ("a", "b"))", ProjectType());
  const std::vector<Comparison> found = filter->conjuncts();
  REQUIRE(found.size() == 1);
  CHECK(found[0].comparator == Comparator::kIn);
  CHECK(found[0].path.map_key() == "env");
  CHECK(std::get<std::string>(found[0].operands[1].value) == "b");
}

}  // namespace
}  // namespace culvert::resource
