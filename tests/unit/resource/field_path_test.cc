#include "resource/field_path.h"

#include <string>

#include "base/status.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

TEST_CASE("FieldPath has one spelling for each field", "[field_path]") {
  const auto [text, spelling, kind] = GENERATE(table<std::string, std::string, PathKind>({
      {"name", "name", PathKind::kString},
      {"NAME", "name", PathKind::kString},
      {"metadata", "metadata", PathKind::kMessage},
      {"metadata.createTime", "metadata.create_time", PathKind::kTimestamp},
      {"metadata.create-time", "metadata.create_time", PathKind::kTimestamp},
      {"metadata\\.CREATE_TIME", "metadata.create_time", PathKind::kTimestamp},
      {"metadata.generation", "metadata.generation", PathKind::kInteger},
      {"metadata.tags", "metadata.tags", PathKind::kList},
      {"metadata.ownerReferences", "metadata.owner_references", PathKind::kList},
      {"metadata.labels", "metadata.labels", PathKind::kMap},
      {"metadata.labels.Env", "metadata.labels.Env", PathKind::kString},
      {"metadata.labels.a.b\\.c/d", "metadata.labels.a.b.c/d", PathKind::kString},
      {"metadata.labels.1 \"x\"", "metadata.labels.1 \"x\"", PathKind::kString},
      {"metadata.shards.by-name", "metadata.shards.by-name", PathKind::kInteger},
      {"metadata.lifecycle.state", "metadata.lifecycle.state", PathKind::kEnum},
      {"metadata.lifecycle.blockDeletion", "metadata.lifecycle.block_deletion", PathKind::kBool},
  }));
  const auto path = FieldPath::Parse(text, ProjectType());
  CAPTURE(text, path.status().ToString());
  REQUIRE(path.ok());
  CHECK(path->ToString() == spelling);
  CHECK(path->kind() == kind);
  CHECK(*FieldPath::Parse(spelling, ProjectType()) == *path);
  CHECK(path->is_resource_name() == (spelling == "name"));
}

TEST_CASE("FieldPath says what it does not know", "[field_path]") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "ntt.proxies.v1.Project has no field ''"},
      {".", "has no field ''"},
      {"x", "field path 'x': ntt.proxies.v1.Project has no field 'x'"},
      {"metadata.", "goten.types.Meta has no field ''"},
      {"metadata.x\n", "has no field 'x\\n'"},
      {"metadata.labels.", "'metadata.labels.' lacks a key"},
      {"metadata.labels.a\\b", "a key with a backslash cannot be named"},
      {"metadata.tags.0", "'metadata.tags' has no parts"},
      {"name.x", "'name' has no parts"},
      {std::string("metadata.labels.") + std::string(1009, 'x'), "longer than 1024 bytes"},
  }));
  const auto path = FieldPath::Parse(text, ProjectType());
  CAPTURE(text, path.status().ToString());
  REQUIRE(absl::IsInvalidArgument(path.status()));
  CHECK(std::string(MessageOf(path.status())).find(message) != std::string::npos);
}

Value Read(const std::string& path, const Project& project) {
  return FieldPath::Parse(path, ProjectType())->Read(project);
}

TEST_CASE("FieldPath reads a value of the field's type", "[field_path]") {
  const Project lab = Lab();
  CHECK(Read("name", lab) == Value(std::string("projects/lab-1")));
  CHECK(Read("metadata.generation", lab) == Value(int64_t{3}));
  CHECK(Read("metadata.create_time", lab) == Value(Timestamp{1769846400, 500000000}));
  CHECK(Read("metadata.lifecycle.state", lab) == Value(int64_t{1}));
  CHECK(Read("metadata.lifecycle.block_deletion", lab) == Value(true));
  CHECK(Read("metadata.labels.app.example.org/name", lab) == Value(std::string("web")));
  CHECK(Read("metadata.shards.byName", lab) == Value(int64_t{5}));
  CHECK(std::get<ListView>(Read("metadata.tags", lab)).message == &lab.metadata());
  CHECK(std::get<MapView>(Read("metadata.labels", lab)).field->name() == "labels");
  CHECK(std::get<const google::protobuf::Message*>(Read("metadata", lab)) == &lab.metadata());
}

TEST_CASE("FieldPath reads null where nothing is set", "[field_path]") {
  for (const char* path : {"metadata", "metadata.uuid", "metadata.generation",
                           "metadata.labels.env", "multi_region_policy.enabled_regions"}) {
    CAPTURE(path);
    CHECK(IsNull(Read(path, Bare())));
  }
  for (const char* path : {"metadata.create_time", "metadata.tags", "metadata.labels",
                           "metadata.labels.env", "metadata.lifecycle.state"}) {
    CAPTURE(path);
    CHECK(IsNull(Read(path, Edge())));
  }
  CHECK(Read("metadata.uuid", Edge()) == Value(std::string()));
  CHECK(Read("metadata.generation", Edge()) == Value(int64_t{0}));
  CHECK(Read("name", Project()) == Value(std::string()));
}

TEST_CASE("Compare compares numbers exactly, and nothing of different types", "[field_path]") {
  const auto [a, b, order] = GENERATE(table<Value, Value, std::partial_ordering>({
      {int64_t{1}, int64_t{2}, std::partial_ordering::less},
      {int64_t{1}, 1.5, std::partial_ordering::less},
      {int64_t{2}, 1.5, std::partial_ordering::greater},
      {int64_t{-1}, -1.5, std::partial_ordering::greater},
      {int64_t{-2}, -1.5, std::partial_ordering::less},
      {1.0, int64_t{1}, std::partial_ordering::equivalent},
      {1.5, int64_t{1}, std::partial_ordering::greater},
      {INT64_MAX, 0x1p63, std::partial_ordering::less},
      {INT64_MIN, -0x1p63, std::partial_ordering::equivalent},
      {int64_t{9007199254740993}, 9007199254740992.0, std::partial_ordering::greater},
      {int64_t{0}, std::nan(""), std::partial_ordering::unordered},
      {std::nan(""), std::nan(""), std::partial_ordering::unordered},
      {Null{}, Null{}, std::partial_ordering::unordered},
      {std::string("1"), int64_t{1}, std::partial_ordering::unordered},
      {std::string("a"), std::string("\xff"), std::partial_ordering::less},
      {Timestamp{1, 2}, Timestamp{1, 1}, std::partial_ordering::greater},
      {false, true, std::partial_ordering::less},
  }));
  CHECK((Compare(a, b) == order));
  CHECK((Compare(b, a) == 0 <=> order));
}

}  // namespace
}  // namespace culvert::resource
