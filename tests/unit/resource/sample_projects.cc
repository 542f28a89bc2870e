#include "tests/unit/resource/sample_projects.h"

#include <google/protobuf/text_format.h>

#include <cstdlib>

namespace culvert::resource {

Project ProjectOf(const std::string& text) {
  Project project;
  if (!google::protobuf::TextFormat::ParseFromString(text, &project)) std::abort();
  return project;
}

Project Lab() {
  return ProjectOf(R"(
    name: "projects/lab-1"
    metadata {
      create_time { seconds: 1769846400 nanos: 500000000 }  # 2026-01-31T08:00:00.5Z
      update_time { seconds: 1769846401 }
      uuid: "u-1"
      tags: "red" tags: "green"
      labels { key: "env" value: "prod" }
      labels { key: "team" value: "net" }
      labels { key: "app.example.org/name" value: "web" }
      annotations { key: "note" value: "50% off_x \\ caf\303\251" }
      generation: 3
      resource_version: "7"
      owner_references { kind: "Org" name: "orgs/x" controller: true }
      shards { key: "byName" value: 5 }
      syncing { owning_region: "eu" regions: "eu" regions: "us" }
      lifecycle { state: ACTIVE block_deletion: true }
    }
    multi_region_policy {
      enabled_regions: "eu" enabled_regions: "us"
      default_control_region: "eu"
      criteria_for_disabled_sync { resource_type_name: "T" dest_region: "us" }
    })");
}

Project Bare() { return ProjectOf(R"(name: "projects/bare")"); }

Project Dev() {
  return ProjectOf(R"(
    name: "projects/dev_2"
    metadata {
      create_time { seconds: 1769846400 }
      labels { key: "env" value: "dev" }
      generation: -1
      lifecycle { state: DELETING }
    }
    multi_region_policy { enabled_regions: "us" default_control_region: "us" })");
}

Project Edge() { return ProjectOf(R"(name: "projects/edge" metadata {} multi_region_policy {})"); }

Project RandomProject(std::mt19937* random) {
  const auto draw = [random](unsigned choices) {
    return static_cast<unsigned>((*random)() % choices);
  };
  const auto word = [&draw] {
    std::string text;
    for (unsigned size = draw(4); size > 0; --size) text += "ab\0\xff\1"[draw(5)];
    return text;
  };
  Project project;
  project.set_name("projects/p" + std::to_string(draw(1000)));
  if (draw(4) == 0) return project;
  auto* metadata = project.mutable_metadata();
  metadata->set_generation(static_cast<int64_t>(draw(5)) - 2);
  if (draw(8) == 0) metadata->set_generation(draw(2) == 0 ? INT64_MAX : INT64_MIN);
  metadata->set_uuid(word());
  if (draw(3) > 0) (*metadata->mutable_labels())["env"] = word();
  if (draw(3) > 0) (*metadata->mutable_shards())["s"] = draw(3);
  if (draw(2) == 0) {
    metadata->mutable_create_time()->set_seconds(static_cast<int64_t>(draw(3)) - 1);
    metadata->mutable_create_time()->set_nanos(static_cast<int32_t>(draw(2)));
  }
  if (draw(2) == 0) {
    auto* lifecycle = metadata->mutable_lifecycle();
    lifecycle->set_state(static_cast<goten::types::Lifecycle::State>(draw(3)));
    lifecycle->set_block_deletion(draw(2) == 0);
  }
  for (unsigned tags = draw(3); tags > 0; --tags) metadata->add_tags(draw(2) == 0 ? "x" : "y");
  return project;
}

}  // namespace culvert::resource
