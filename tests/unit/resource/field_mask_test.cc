#include "resource/field_mask.h"

#include <google/protobuf/util/message_differencer.h>

#include <random>
#include <string>

#include "base/status.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

using google::protobuf::FieldMask;
using google::protobuf::util::MessageDifferencer;
using goten::types::View;

FieldMask Paths(std::initializer_list<const char*> paths) {
  FieldMask mask;
  for (const char* path : paths) mask.add_paths(path);
  return mask;
}

Mask MaskOf(std::initializer_list<const char*> paths, View view = View::UNSPECIFIED) {
  const auto mask = Mask::Parse(Paths(paths), view, ProjectType());
  CAPTURE(mask.status().ToString());
  REQUIRE(mask.ok());
  return *mask;
}

std::string Spelled(const Mask& mask) {
  if (mask.is_everything()) return "*";
  std::string all;
  for (const FieldPath& path : mask.paths()) all += path.ToString() + " ";
  return all;
}

bool Equal(const Project& a, const Project& b) { return MessageDifferencer::Equals(a, b); }

TEST_CASE("Mask is of a view and of paths", "[field_mask]") {
  CHECK(Spelled(MaskOf({})) == "*");
  CHECK(Spelled(MaskOf({"*"})) == "*");
  CHECK(Spelled(MaskOf({"name", "*"}, View::NAME)) == "*");
  CHECK(Spelled(MaskOf({"name"}, View::FULL)) == "*");
  CHECK(Spelled(MaskOf({}, View::BASIC)) == "*");
  CHECK(Spelled(MaskOf({}, View::DETAIL)) == "*");
  CHECK(Spelled(MaskOf({}, View::NAME)) == "name ");
  CHECK(Spelled(MaskOf({"metadata.uuid"}, View::NAME)) == "metadata.uuid name ");
  CHECK(Spelled(MaskOf({"metadata.uuid"}, View::BASIC)) == "metadata.uuid ");
  CHECK(Spelled(MaskOf({"multiRegionPolicy", "multi-region-policy.enabledRegions"})) ==
        "multi_region_policy ");
  CHECK(Spelled(MaskOf({"metadata.labels.a", "metadata.uuid", "metadata.labels.a"})) ==
        "metadata.labels.a metadata.uuid ");
  CHECK(Spelled(MaskOf({"metadata.labels.a", "metadata.uuid", "metadata.labels"})) ==
        "metadata.uuid metadata.labels ");
  CHECK(Spelled(MaskOf({"metadata.labels.a", "metadata.labels.a.b"})) ==
        "metadata.labels.a metadata.labels.a.b ");
}

TEST_CASE("Mask refuses what it does not know", "[field_mask]") {
  const auto refused = [](const FieldMask& paths, View view, const std::string& message) {
    const auto mask = Mask::Parse(paths, view, ProjectType());
    CHECK(absl::IsInvalidArgument(mask.status()));
    CHECK(std::string(MessageOf(mask.status())).find(message) != std::string::npos);
  };
  refused(Paths({"nothing"}), View::NAME, "field path 'nothing'");
  refused(Paths({"metadata.tags.x"}), View::UNSPECIFIED, "'metadata.tags' has no parts");
  refused(Paths({""}), View::BASIC, "field path ''");
  refused(Paths({}), static_cast<View>(9), "no such view: 9");
  FieldMask many;
  for (int i = 0; i < 129; ++i) many.add_paths("name");
  refused(many, View::UNSPECIFIED, "more than 128 paths");
  // Which is not asked for with it.
  CHECK(Mask::Parse(Paths({"nothing"}), View::FULL, ProjectType()).ok());
}

TEST_CASE("Mask copies the masked fields only", "[field_mask]") {
  const auto projected = [](std::initializer_list<const char*> paths, const Project& project) {
    return MaskOf(paths).Project(project);
  };
  CHECK(Equal(projected({}, Lab()), Lab()));
  CHECK(Equal(projected({"name"}, Lab()), ProjectOf("name: 'projects/lab-1'")));
  CHECK(Equal(projected({"metadata.uuid", "metadata.tags"}, Lab()),
              ProjectOf("metadata { uuid: 'u-1' tags: 'red' tags: 'green' }")));
  CHECK(Equal(projected({"metadata.labels.env", "metadata.labels.none"}, Lab()),
              ProjectOf("metadata { labels { key: 'env' value: 'prod' } }")));
  CHECK(Equal(projected({"metadata.lifecycle.state", "multi_region_policy.enabled_regions"}, Lab()),
              ProjectOf("metadata { lifecycle { state: ACTIVE } } "
                        "multi_region_policy { enabled_regions: 'eu' enabled_regions: 'us' }")));
  CHECK(Equal(projected({"metadata.lifecycle.state", "metadata.labels.x"}, Edge()), Project()));
  CHECK(Equal(projected({"metadata"}, Edge()), ProjectOf("metadata {}")));
  CHECK(Equal(projected({"metadata.create_time"}, Bare()), Project()));
}

TEST_CASE("Mask tells whether a masked field changed", "[field_mask]") {
  Project after = Lab();
  after.mutable_metadata()->set_generation(4);
  (*after.mutable_metadata()->mutable_labels())["env"] = "test";
  CHECK(Mask::Everything().Changed(Lab(), after));
  CHECK_FALSE(Mask::Everything().Changed(Lab(), Lab()));
  CHECK(MaskOf({"metadata.generation"}).Changed(Lab(), after));
  CHECK(MaskOf({"metadata"}).Changed(Lab(), after));
  CHECK(MaskOf({"metadata.labels.env"}).Changed(Lab(), after));
  CHECK_FALSE(MaskOf({"metadata.labels.team", "metadata.uuid", "name"}).Changed(Lab(), after));
  CHECK_FALSE(MaskOf({"metadata.create_time"}).Changed(Bare(), Edge()));
  CHECK(Mask::Everything().Changed(Bare(), ProjectOf("name: 'projects/bare' metadata {}")));
}

std::string Differing(const Project& before, const Project& after,
                      std::initializer_list<const char*> paths = {}) {
  std::string all;
  const FieldMask differing = MaskOf(paths).DiffPaths(before, after);
  for (const std::string& path : differing.paths()) all += path + " ";
  return all;
}

TEST_CASE("Mask names the fields that differ", "[field_mask]") {
  CHECK(Differing(Lab(), Lab()) == "");
  Project after = Lab();
  after.set_name("projects/x");
  auto* metadata = after.mutable_metadata();
  metadata->mutable_create_time()->set_nanos(1);
  metadata->clear_uuid();
  metadata->add_tags("blue");
  metadata->mutable_labels()->erase("team");
  (*metadata->mutable_labels())["new.key/x"] = "";
  (*metadata->mutable_labels())["env"] = "test";
  metadata->mutable_lifecycle()->set_state(goten::types::Lifecycle::DELETING);
  after.mutable_multi_region_policy()->clear_criteria_for_disabled_sync();
  CHECK(Differing(Lab(), after) ==
        "name metadata.create_time metadata.uuid metadata.tags metadata.labels.env "
        "metadata.labels.new.key/x metadata.labels.team metadata.lifecycle.state "
        "multi_region_policy.criteria_for_disabled_sync ");
  CHECK(Differing(Lab(), after, {"metadata.uuid", "metadata.labels.team", "metadata.generation"}) ==
        "metadata.uuid metadata.labels.team ");
  CHECK(Differing(Bare(), ProjectOf("name: 'projects/bare' metadata {}")) == "metadata ");
  CHECK(Differing(ProjectOf("metadata { lifecycle { state: ACTIVE } }"), Project()) == "metadata ");
  CHECK(Differing(ProjectOf("metadata { lifecycle { state: ACTIVE } }"), Project(),
                  {"metadata.lifecycle.state"}) == "metadata.lifecycle.state ");
  CHECK(Differing(ProjectOf("metadata { lifecycle { state: ACTIVE } }"), Edge(),
                  {"metadata.lifecycle"}) == "metadata.lifecycle ");
  CHECK(Differing(ProjectOf("metadata { create_time {} }"), ProjectOf("metadata {}")) ==
        "metadata.create_time ");
}

TEST_CASE("Mask names a map where it cannot name the entries", "[field_mask]") {
  Project after;
  auto* labels = after.mutable_metadata()->mutable_labels();
  for (int i = 0; i < 16; ++i) (*labels)["k" + std::to_string(i)] = "";
  CHECK(MaskOf({}).DiffPaths(Edge(), after).paths_size() == 18);
  (*labels)["k16"] = "";
  CHECK(Differing(ProjectOf("metadata {}"), after) == "metadata.labels ");
  for (const std::string& key : {std::string(), std::string("a\\.b"), std::string(1020, 'k')}) {
    labels->clear();
    (*labels)[key] = "x";
    CHECK(Differing(ProjectOf("metadata {}"), after) == "metadata.labels ");
  }
}

TEST_CASE("Mask merges the masked fields of an update", "[field_mask]") {
  const auto merged = [](std::initializer_list<const char*> paths, const Project& update,
                         Project into) {
    MaskOf(paths).Merge(update, &into);
    return into;
  };
  CHECK(Equal(merged({}, Dev(), Lab()), Dev()));
  Project wanted = Lab();
  wanted.mutable_metadata()->set_generation(-1);
  wanted.mutable_metadata()->clear_tags();
  (*wanted.mutable_metadata()->mutable_labels())["env"] = "dev";
  wanted.mutable_metadata()->mutable_labels()->erase("team");
  CHECK(Equal(merged({"metadata.generation", "metadata.tags", "metadata.labels.env",
                      "metadata.labels.team", "metadata.labels.none"},
                     Dev(), Lab()),
              wanted));

  wanted = Lab();
  wanted.clear_metadata();
  CHECK(Equal(merged({"metadata"}, Bare(), Lab()), wanted));
  wanted = Lab();
  wanted.mutable_metadata()->clear_labels();
  CHECK(Equal(merged({"metadata.labels"}, Bare(), Lab()), wanted));
  CHECK(Equal(merged({"metadata.labels.env", "metadata.lifecycle.state"}, Edge(), Bare()),
              ProjectOf("name: 'projects/bare' metadata {}")));
  CHECK(Equal(merged({"metadata.labels.env", "metadata.lifecycle.state"}, Bare(), Bare()), Bare()));
  CHECK(
      Equal(merged({"metadata.create_time", "multi_region_policy.enabled_regions"}, Dev(), Bare()),
            ProjectOf("name: 'projects/bare' metadata { create_time { seconds: 1769846400 } } "
                      "multi_region_policy { enabled_regions: 'us' }")));
}

TEST_CASE("What differs, merged, makes the one project the other", "[field_mask]") {
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    const Project before = RandomProject(&random);
    const Project after = RandomProject(&random);
    const FieldMask paths = Mask::Everything().DiffPaths(before, after);
    CAPTURE(before.ShortDebugString(), after.ShortDebugString(), paths.ShortDebugString());
    REQUIRE((paths.paths().empty() == Equal(before, after)));
    if (paths.paths().empty()) continue;
    const auto mask = Mask::Parse(paths, View::UNSPECIFIED, ProjectType());
    REQUIRE(mask.ok());
    Project merged = before;
    mask->Merge(after, &merged);
    REQUIRE(mask->Changed(before, after));
    REQUIRE(Equal(merged, after));
  }
}

}  // namespace
}  // namespace culvert::resource
