#include "broker/project_writes.h"

#include <google/protobuf/text_format.h>

#include <vector>

#include "tests/unit/broker/project_fixture.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using ntt::proxies::v1::CreateProjectRequest;
using ntt::proxies::v1::UpdateProjectRequest;
using store::Project;
using store::ProjectTable;

template <class Message>
Message Text(const std::string& text) {
  Message message;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

struct ProjectWritesFixture : ProjectFixture {
  absl::StatusOr<Project> Create(const std::string& request) {
    return Answer(Write([&](ProjectTable& table) {
      return CreateProject(table, Text<CreateProjectRequest>(request), now);
    }));
  }
  absl::StatusOr<Project> Update(const std::string& request) {
    return Answer(Write([&](ProjectTable& table) {
      return UpdateProject(table, Text<UpdateProjectRequest>(request), now + 1s);
    }));
  }
  absl::StatusOr<Project> Answer(absl::StatusOr<ProjectWrite> write) {
    if (!write.ok()) return write.status();
    effect = write->effect;
    return std::move(write->answer);
  }
  std::optional<Project> Find(const std::string& id) {
    return Write([&](ProjectTable& table) { return table.Find(id); });
  }
  Project MakeLab() {
    const auto made = Create(
        "project { name: 'projects/lab' metadata { labels { key: 'env' value: 'test' } } "
        "multi_region_policy { default_control_region: 'east' enabled_regions: 'east' } }");
    REQUIRE(made.ok());
    return *made;
  }

  using Effect = ProjectWrite::Effect;
  Effect effect = Effect::kNone;  // of the last write
};

TEST_CASE_METHOD(ProjectWritesFixture, "A project has so much and no more", "[projects]") {
  const Project lab = MakeLab();
  const auto check = [&](Project project, const std::string& words) {
    CreateProjectRequest create;
    *create.mutable_project() = project;
    create.mutable_project()->clear_name();
    UpdateProjectRequest update;
    *update.mutable_project() = project;
    const absl::Status made =
        Write([&](ProjectTable& table) { return CreateProject(table, create, now); }).status();
    const absl::Status changed =
        Write([&](ProjectTable& table) { return UpdateProject(table, update, now); }).status();
    for (const absl::Status& status : {made, changed}) {
      if (words.empty()) {
        CHECK(status.ok());
      } else {
        CHECK(absl::IsInvalidArgument(status));
        CHECK_THAT(std::string(status.message()), Catch::Matchers::Contains(words));
      }
    }
  };
  Project project = lab;
  for (int i = 0; i < kMaxProjectEntries; ++i) project.mutable_metadata()->add_tags("t");
  check(project, "");
  project.mutable_metadata()->add_tags("t");
  check(project, "tags has 513 entries (limit 512)");
  project = lab;
  for (int i = 0; i <= kMaxProjectEntries; ++i) {
    (*project.mutable_metadata()->mutable_labels())[std::to_string(i)] = "";
  }
  check(project, "labels has 514 entries (limit 512)");
  project = lab;
  (*project.mutable_metadata()->mutable_annotations())["x"] = std::string(kMaxProjectBytes, 'x');
  check(project, "(limit 65536)");
}

TEST_CASE_METHOD(ProjectWritesFixture, "CreateProject makes what it is given", "[projects]") {
  const Project made = MakeLab();
  CHECK(made.name() == "projects/lab");
  CHECK(effect == Effect::kMade);
  CHECK(made.metadata().generation() == 1);
  CHECK(made.metadata().labels().at("env") == "test");
  CHECK(Find("lab")->SerializeAsString() == made.SerializeAsString());
}

TEST_CASE_METHOD(ProjectWritesFixture, "CreateProject draws a name where there is none",
                 "[projects]") {
  const auto one = Create("project { multi_region_policy {} }");
  const auto other = Create("project { multi_region_policy {} }");
  REQUIRE(one.ok());
  REQUIRE(other.ok());
  CHECK(one->name().starts_with("projects/"));
  CHECK(one->name() != other->name());
}

TEST_CASE_METHOD(ProjectWritesFixture, "CreateProject refuses what it cannot make", "[projects]") {
  MakeLab();
  struct Row {
    std::string request;
    absl::StatusCode code;
    std::string word;
  };
  const std::string policy = "multi_region_policy {}";
  const auto [request, code, word] = GENERATE_COPY(values<Row>({
      {"project { name: 'projects/lab' " + policy + "}", absl::StatusCode::kAlreadyExists, "lab"},
      {"project { name: 'projects/new' }", absl::StatusCode::kInvalidArgument, "multi_region"},
      {"", absl::StatusCode::kInvalidArgument, "multi_region"},
      {"project { name: 'lab2' " + policy + "}", absl::StatusCode::kInvalidArgument, "lab2"},
      {"project { name: 'projects/Lab' " + policy + "}", absl::StatusCode::kInvalidArgument, "Lab"},
      {"project { name: 'projects/-' " + policy + "}", absl::StatusCode::kInvalidArgument, "-"},
      {"project { name: 'projects/x' " + policy + "}", absl::StatusCode::kInvalidArgument, "x"},
      {"project { name: 'projects/" + std::string(31, 'a') + "' " + policy + "}",
       absl::StatusCode::kInvalidArgument, "aaa"},
      {"project { name: 'projects/big' metadata { annotations { key: 'a' value: '" +
           std::string(70'000, 'x') + "' } } " + policy + "}",
       absl::StatusCode::kInvalidArgument, "limit 65536"},
      {"project { name: 'projects/new' " + policy + "} response_mask { body_mask { paths: 'no' } }",
       absl::StatusCode::kInvalidArgument, "no"},
  }));
  CAPTURE(request);
  const auto made = Create(request);
  CHECK(made.status().code() == code);
  CHECK(std::string(MessageOf(made.status())).find(word) != std::string::npos);
  CHECK_FALSE(Find("new").has_value());
}

TEST_CASE_METHOD(ProjectWritesFixture, "CreateProject answers with what was asked for",
                 "[projects]") {
  const std::string project = "project { name: 'projects/lab' multi_region_policy {} } ";
  SECTION("nothing") {
    const auto made = Create(project + "response_mask { skip_entire_response_body: true }");
    REQUIRE(made.ok());
    CHECK(made->ByteSizeLong() == 0);
    CHECK(Find("lab").has_value());
  }
  SECTION("some fields") {
    const auto made = Create(project + "response_mask { body_mask { paths: 'metadata.uuid' } }");
    REQUIRE(made.ok());
    CHECK(made->name().empty());
    CHECK_FALSE(made->metadata().uuid().empty());
    CHECK(made->metadata().generation() == 0);
  }
}

TEST_CASE_METHOD(ProjectWritesFixture, "UpdateProject changes what its mask says", "[projects]") {
  const Project before = MakeLab();
  const std::string project =
      "project { name: 'projects/lab' metadata { uuid: 'theirs' labels { key: 'a' value: 'b' } } "
      "multi_region_policy { default_control_region: 'west' } } ";
  SECTION("one field") {
    const auto after =
        Update(project + "update_mask { paths: 'multi_region_policy.default_control_region' }");
    REQUIRE(after.ok());
    CHECK(after->multi_region_policy().default_control_region() == "west");
    CHECK(after->multi_region_policy().enabled_regions_size() == 1);
    CHECK(after->metadata().labels().at("env") == "test");
    CHECK(after->metadata().generation() == 2);
    CHECK(effect == Effect::kChanged);
  }
  SECTION("metadata is no spec") {
    const auto after = Update(project + "update_mask { paths: 'metadata.labels' }");
    REQUIRE(after.ok());
    CHECK(after->metadata().labels_size() == 1);
    CHECK(after->metadata().labels().at("a") == "b");
    CHECK(after->metadata().generation() == 1);
    CHECK(after->metadata().resource_version() != before.metadata().resource_version());
  }
  SECTION("all") {
    const auto after = Update(project);
    REQUIRE(after.ok());
    CHECK(after->metadata().labels_size() == 1);
    CHECK(after->metadata().uuid() == before.metadata().uuid());
    CHECK(after->multi_region_policy().enabled_regions_size() == 0);
    CHECK(after->metadata().create_time().seconds() == 1'700'000'000);
    CHECK(after->metadata().update_time().seconds() == 1'700'000'001);
  }
  SECTION("never a name, nor what is the broker's") {
    const auto after = Update(
        project + "update_mask { paths: ['name', 'metadata.uuid', 'metadata.resource_version'] }");
    REQUIRE(after.ok());
    CHECK(after->SerializeAsString() == before.SerializeAsString());
  }
  SECTION("not what must be there") {
    const auto after =
        Update("project { name: 'projects/lab' } update_mask { paths: 'multi_region_policy' }");
    CHECK(absl::IsInvalidArgument(after.status()));
    CHECK(Find("lab")->SerializeAsString() == before.SerializeAsString());
  }
  SECTION("only where there is such a field") {
    CHECK(absl::IsInvalidArgument(Update(project + "update_mask { paths: 'no' }").status()));
  }
}

TEST_CASE_METHOD(ProjectWritesFixture, "UpdateProject that changes nothing is no change",
                 "[projects]") {
  const Project before = MakeLab();
  const auto after = Update(
      "project { name: 'projects/lab' metadata { labels { key: 'env' value: 'test' } } } "
      "update_mask { paths: 'metadata.labels' }");
  REQUIRE(after.ok());
  CHECK(effect == Effect::kNone);
  CHECK(after->SerializeAsString() == before.SerializeAsString());
}

TEST_CASE_METHOD(ProjectWritesFixture, "UpdateProject looks at the state that cas asks for",
                 "[projects]") {
  const Project before = MakeLab();
  const std::string update =
      "project { name: 'projects/lab' metadata { labels { key: 'env' value: 'prod' } } } "
      "update_mask { paths: 'metadata.labels' } cas { field_mask { paths: 'metadata.labels' } "
      "conditional_state { metadata { labels { key: 'env' value: '";
  const auto wrong = Update(update + "other' } } } }");
  CHECK(absl::IsAborted(wrong.status()));
  CHECK(std::string(MessageOf(wrong.status())).find("metadata.labels") != std::string::npos);
  CHECK(Find("lab")->SerializeAsString() == before.SerializeAsString());
  CHECK(Update(update + "test' } } } }").ok());
  CHECK(Find("lab")->metadata().labels().at("env") == "prod");
}

TEST_CASE_METHOD(ProjectWritesFixture, "UpdateProject makes what may be missing", "[projects]") {
  const std::string update =
      "project { name: 'projects/new' multi_region_policy {} } update_mask { paths: 'metadata' } ";
  CHECK(absl::IsNotFound(Update(update).status()));
  CHECK(absl::IsAborted(
      Update(update + "allow_missing: true cas { conditional_state { name: 'x' } }").status()));
  CHECK_FALSE(Find("new").has_value());
  const auto made = Update(update + "allow_missing: true");
  REQUIRE(made.ok());
  CHECK(effect == Effect::kMade);
  CHECK(made->metadata().generation() == 1);
  CHECK(Find("new").has_value());
}

TEST_CASE_METHOD(ProjectWritesFixture, "UpdateProject answers with what was updated",
                 "[projects]") {
  MakeLab();
  const auto after = Update(
      "project { name: 'projects/lab' multi_region_policy { default_control_region: 'west' } } "
      "update_mask { paths: 'multi_region_policy.default_control_region' } "
      "response_mask { updated_fields_only: true }");
  REQUIRE(after.ok());
  CHECK(after->name() == "projects/lab");
  CHECK(after->multi_region_policy().default_control_region() == "west");
  CHECK(after->multi_region_policy().enabled_regions_size() == 0);
  CHECK(after->metadata().generation() == 2);
  CHECK(after->metadata().labels_size() == 0);
  CHECK_FALSE(after->metadata().has_create_time());
}

}  // namespace
}  // namespace culvert::broker
