#include "resource/filter.h"

#include <string>

#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

// The first letters of those of Lab, Bare, Dev and Edge that match.
std::string Matching(const std::string& text) {
  const auto filter = Filter::Parse(text, ProjectType());
  CAPTURE(text, filter.status().ToString());
  REQUIRE(filter.ok());
  std::string matching;
  if (filter->Matches(Lab())) matching += 'l';
  if (filter->Matches(Bare())) matching += 'b';
  if (filter->Matches(Dev())) matching += 'd';
  if (filter->Matches(Edge())) matching += 'e';
  return matching;
}

struct Row {
  const char* filter;
  const char* matching;
};

void CheckRows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(row.filter);
    CHECK(Matching(row.filter) == row.matching);
  }
}

TEST_CASE("Filter without a condition matches everything", "[filter]") {
  CheckRows({{"", "lbde"},
             {"()", "lbde"},
             {" ( ) ", "lbde"},
             {"  \n\t", "lbde"},
             {"-- nothing here", "lbde"},
             {"-- a\n()", "lbde"}});
}

TEST_CASE("Filter compares strings by bytes", "[filter]") {
  CheckRows({
      {R"(metadata.uuid = "u-1")", "l"},
      {R"(metadata.uuid == "u-1")", "l"},
      {R"(metadata.uuid = "U-1")", ""},
      {R"(metadata.uuid != "u-1")", "de"},
      {R"(metadata.uuid = "")", "de"},
      {R"(metadata.uuid > "")", "l"},
      {R"(metadata.uuid >= "u-1")", "l"},
      {R"(metadata.uuid < "u-1")", "de"},
      {R"(metadata.uuid <= "u-1")", "lde"},
      {R"(metadata.uuid > "u-0z")", "l"},
      {R"(multi_region_policy.default_control_region = "eu")", "l"},
      {R"(multi_region_policy.default_control_region < "z")", "lde"},
      {R"(metadata.syncing.owning_region = "eu")", "l"},
      {R"(metadata.syncing.owning_region != "eu")", ""},
      {R"(metadata.uuid = "u\x2d1")", "l"},
      {R"(metadata.uuid = "\u0075-\U00000031")", "l"},
      {R"(metadata.annotations.note = "50% off_x \\ caf\u00e9")", "l"},
      {"metadata.annotations.note = \"50% off_x \\\\ caf\xc3\xa9\"", "l"},
  });
}

TEST_CASE("Filter compares numbers by their worth", "[filter]") {
  CheckRows({
      {"metadata.generation = 3", "l"},
      {"metadata.generation = +3", "l"},
      {"metadata.generation = 3.0", "l"},
      {"metadata.generation = 3.", "l"},
      {"metadata.generation = 0.3e1", "l"},
      {"metadata.generation = 30E-1", "l"},
      {"metadata.generation = 03", "l"},
      {"metadata.generation = -1", "d"},
      {"metadata.generation=-1", "d"},
      {"metadata.generation = 0", "e"},
      {"metadata.generation = -0.0", "e"},
      {"metadata.generation != 3", "de"},
      {"metadata.generation > 2.5", "l"},
      {"metadata.generation > .5", "l"},
      {"metadata.generation < -.5", "d"},
      {"metadata.generation >= 3", "l"},
      {"metadata.generation <= 3", "lde"},
      {"metadata.generation < 9223372036854775808", "lde"},
      {"metadata.generation > -9223372036854775809", "lde"},
      {"metadata.generation < 1e300", "lde"},
      {"metadata.generation = 3.5", ""},
      {"metadata.shards.byName = 5", "l"},
      {"metadata.shards.byName < 6", "l"},
      {"metadata.shards.byname = 5", ""},
  });
}

TEST_CASE("Filter compares times, enums and Booleans as what they are", "[filter]") {
  CheckRows({
      {R"(metadata.create_time = "2026-01-31T08:00:00Z")", "d"},
      {R"(metadata.create_time = "2026-01-31T08:00:00.000Z")", "d"},
      {R"(metadata.create_time = "2026-01-31T10:00:00+02:00")", "d"},
      {R"(metadata.create_time = "2026-01-31T08:00:00.5Z")", "l"},
      {R"(metadata.create_time > "2026-01-31T08:00:00Z")", "l"},
      {R"(metadata.create_time >= "2026-01-31T08:00:00Z")", "ld"},
      {R"(metadata.create_time < "2026-01-31T08:00:00.000000001Z")", "d"},
      {R"(metadata.create_time != "2026-01-31T08:00:00Z")", "l"},
      {R"(metadata.create_time < "9999-12-31T23:59:59Z")", "ld"},
      {R"(metadata.create_time > "0001-01-01T00:00:00Z")", "ld"},
      {R"(metadata.create_time IN ("2026-01-31T08:00:00Z"))", "d"},
      {R"(metadata.lifecycle.state = "ACTIVE")", "l"},
      {R"(metadata.lifecycle.state = 1)", "l"},
      {R"(metadata.lifecycle.state = 7)", ""},
      {R"(metadata.lifecycle.state != "ACTIVE")", "d"},
      {R"(metadata.lifecycle.state > "ACTIVE")", "d"},
      {R"(metadata.lifecycle.state IN ("ACTIVE", "DELETING"))", "ld"},
      {"metadata.lifecycle.block_deletion = TRUE", "l"},
      {"metadata.lifecycle.block_deletion = false", "d"},
      {"metadata.lifecycle.block_deletion != true", "d"},
      {"metadata.lifecycle.block_deletion > FALSE", "l"},
  });
}

TEST_CASE("Filter reads field paths in each spelling", "[filter]") {
  CheckRows({
      {R"(metadata.resource_version = "7")", "l"},
      {R"(metadata.resourceVersion = "7")", "l"},
      {R"(metadata.resource-version = "7")", "l"},
      {R"(METADATA.RESOURCE_VERSION = "7")", "l"},
      {R"(Metadata.ResourceVersion = "7")", "l"},
      {R"(metadata\.resourceVersion = "7")", "l"},
      {R"(metadata.labels.env = "prod")", "l"},
      {R"(metadata\.labels\.env = "prod")", "l"},
      {R"(metadata.labels.ENV = "prod")", ""},
      {R"(metadata.labels.app.example.org/name = "web")", "l"},
      {R"(metadata.labels.app\.example\.org/name = "web")", "l"},
      {R"(metadata.labels.no-such_key = "web")", ""},
      {R"(multiRegionPolicy.defaultControlRegion = "us")", "d"},
      {R"(multi-region-policy.default-control-region = "us")", "d"},
  });
}

TEST_CASE("Filter joins conditions", "[filter]") {
  CheckRows({
      {R"(metadata.generation > 0 AND metadata.labels.env = "prod")", "l"},
      {R"(metadata.generation > 0 and metadata.labels.env = "dev")", ""},
      {R"(metadata.generation > 0 + metadata.labels.env = "prod")", "l"},
      {R"(metadata.generation > 0+metadata.labels.env = "prod")", "l"},
      {R"(metadata.generation > 0 metadata.labels.env = "prod")", "l"},
      {R"(metadata.generation > 0 (metadata.labels.env = "prod"))", "l"},
      {R"(metadata.generation > 0 NOT metadata.labels.env = "prod")", ""},
      {R"(metadata.generation > 0 OR metadata.labels.env = "dev")", "ld"},
      {R"(metadata.generation > 0 | metadata.labels.env = "dev")", "ld"},
      {R"(metadata.generation > 0|metadata.labels.env="dev")", "ld"},
      {R"(metadata.generation = 0 OR metadata.generation = 3 AND metadata.labels.env = "dev")",
       "e"},
      {R"((metadata.generation = -1 OR metadata.generation = 3) AND metadata.labels.env = "dev")",
       "d"},
      {R"((((metadata.generation = 3))))", "l"},
      {"NOT metadata.generation = 3", "bde"},
      {"not not metadata.generation = 3", "l"},
      {"NOT (metadata.generation = 3 OR metadata.generation = 0)", "bd"},
      {"NOT metadata.generation = 3 AND metadata.generation = 0", "e"},
      {"metadata.generation -- the number\n = -- is\n 3 -- so", "l"},
      {"metadata.generation\t=\r\n3", "l"},
  });
}

TEST_CASE("Filter asks what is not set by IS NULL", "[filter]") {
  CheckRows({
      {"metadata.create_time IS NULL", "be"},
      {"metadata.create_time is null", "be"},
      {"metadata.create_time IS NOT NULL", "ld"},
      {"metadata.create_time = NULL", "be"},
      {"metadata.create_time == null", "be"},
      {"metadata.create_time != NULL", "ld"},
      {"metadata IS NULL", "b"},
      {"metadata != NULL", "lde"},
      {"metadata.uuid IS NULL", "b"},
      {"metadata.uuid IS NOT NULL", "lde"},
      {"name IS NULL", ""},
      {"metadata.labels IS NULL", "be"},
      {"metadata.tags IS NULL", "bde"},
      {"metadata.labels.team IS NULL", "bde"},
      {"metadata.labels.env IS NOT NULL", "ld"},
      {"metadata.syncing.owning_region IS NULL", "bde"},
      {"metadata.owner_references IS NOT NULL", "l"},
      {"metadata.generation IS NAN", ""},
      {"metadata.generation IS NOT NAN", "lbde"},
      {"metadata.generation is not nan", "lbde"},
  });
}

TEST_CASE("Filter looks a value up in a list", "[filter]") {
  CheckRows({
      {"metadata.generation IN (3, -1)", "ld"},
      {"metadata.generation IN [3]", "l"},
      {"metadata.generation in (7)", ""},
      {"metadata.generation NOT IN (3)", "bde"},
      {"metadata.generation not in [3, 0]", "bd"},
      {R"(metadata.labels.env IN ("dev","prod"))", "ld"},
      {R"(metadata.labels.env NOT IN ("dev"))", "lbe"},
      {R"(NOT metadata.labels.env IN ("dev"))", "lbe"},
      {R"(metadata.generation IN (3) name IN ("projects/lab-1"))", "l"},
  });
}

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
