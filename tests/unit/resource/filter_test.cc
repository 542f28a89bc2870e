#include "resource/filter.h"

#include "tests/support/catch.h"
#include "tests/unit/resource/filter_rows.h"

namespace culvert::resource {
namespace {

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

}  // namespace
}  // namespace culvert::resource
