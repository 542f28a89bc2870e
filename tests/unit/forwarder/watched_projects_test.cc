#include "forwarder/watched_projects.h"

#include <string>
#include <vector>

#include "forwarder/watch_printer.h"
#include "tests/support/catch.h"

namespace culvert::forwarder {
namespace {

using ntt::proxies::v1::Project;
using ntt::proxies::v1::WatchProjectsResponse;
using Events = std::vector<std::string>;
using Start = WatchedProjects::Start;

class Message {
 public:
  // `made`: its last change was its making.
  Message& Current(const std::string& name, const std::string& version, bool made = false) {
    Project& project = *response_.add_project_changes()->mutable_current()->mutable_project();
    project.set_name("projects/" + name);
    project.mutable_metadata()->set_resource_version(version);
    project.mutable_metadata()->mutable_create_time()->set_seconds(1);
    project.mutable_metadata()->mutable_update_time()->set_seconds(made ? 1 : 2);
    return *this;
  }
  Message& Removed(const std::string& name) {
    response_.add_project_changes()->mutable_removed()->set_name("projects/" + name);
    return *this;
  }
  Message& IsCurrent(const std::string& token) {
    response_.set_is_current(true);
    response_.set_resume_token(token);
    return *this;
  }
  Message& HardReset() {
    response_.set_is_hard_reset(true);
    return *this;
  }
  Message& SoftReset() {
    response_.set_is_soft_reset(true);
    return *this;
  }
  WatchProjectsResponse response() const { return response_; }

 private:
  WatchProjectsResponse response_;
};

// "ADDED projects/a", and the token behind it if there is one.
Events Told(WatchedProjects& watched, const Message& message) {
  Events lines;
  for (const ProjectEvent& event : watched.Take(message.response())) {
    std::string line = NameOf(event.type);
    if (!event.project.name().empty()) line += " " + event.project.name();
    if (!event.resume_token.empty()) line += " " + event.resume_token;
    lines.push_back(line);
  }
  return lines;
}

// In sync, with a and b.
WatchedProjects InSync() {
  WatchedProjects watched(Start::kSnapshot);
  Told(watched, Message().Current("a", "1").Current("b", "2").IsCurrent("t1"));
  return watched;
}

TEST_CASE("A snapshot is told as it comes, and the token with its last project",
          "[watched_projects]") {
  WatchedProjects watched(Start::kSnapshot);
  CHECK(Told(watched, Message().Current("a", "1")) == Events{"ADDED projects/a"});
  CHECK(watched.resume_token().empty());
  CHECK(Told(watched, Message().Current("b", "2").IsCurrent("t1")) ==
        Events{"ADDED projects/b t1"});
  CHECK(watched.resume_token() == "t1");
}

TEST_CASE("Changes are told once it is known that they stay", "[watched_projects]") {
  WatchedProjects watched = InSync();
  CHECK(Told(watched, Message().Current("a", "3").Removed("b")).empty());
  CHECK(Told(watched, Message().Current("c", "4").IsCurrent("t2")) ==
        Events{"MODIFIED projects/a", "DELETED projects/b", "ADDED projects/c t2"});
}

TEST_CASE("A token without a change is a bookmark, once", "[watched_projects]") {
  WatchedProjects watched = InSync();
  CHECK(Told(watched, Message().IsCurrent("t2")) == Events{"BOOKMARK t2"});
  CHECK(Told(watched, Message().IsCurrent("t2")).empty());
  WatchedProjects empty(Start::kSnapshot);
  CHECK(Told(empty, Message().IsCurrent("t1")) == Events{"BOOKMARK t1"});
}

TEST_CASE("A soft reset takes back what was not told yet", "[watched_projects]") {
  WatchedProjects watched = InSync();
  CHECK(Told(watched, Message().Current("a", "3").Current("c", "4")).empty());
  CHECK(Told(watched, Message().SoftReset()).empty());
  CHECK(watched.resume_token() == "t1");
  CHECK(Told(watched, Message().Current("c", "5").IsCurrent("t2")) ==
        Events{"ADDED projects/c t2"});
}

TEST_CASE("After a hard reset only what differs is told", "[watched_projects]") {
  WatchedProjects watched = InSync();
  CHECK(Told(watched, Message().HardReset()).empty());
  CHECK(watched.resume_token().empty());
  CHECK(Told(watched, Message().Current("a", "1").Current("c", "4")) == Events{"ADDED projects/c"});
  CHECK(Told(watched, Message().IsCurrent("t2")) == Events{"DELETED projects/b t2"});
}

TEST_CASE("A stream that begins again goes on by its token", "[watched_projects]") {
  WatchedProjects watched = InSync();
  CHECK(Told(watched, Message().Current("a", "3")).empty());
  watched.Restart();
  CHECK(watched.resume_token() == "t1");
  // What was not told comes again, and what was told may.
  CHECK(Told(watched, Message().Current("a", "3").Current("b", "2").IsCurrent("t2")) ==
        Events{"MODIFIED projects/a t2"});
}

TEST_CASE("A stream that was lost within the snapshot tells nothing twice", "[watched_projects]") {
  WatchedProjects watched(Start::kSnapshot);
  CHECK(Told(watched, Message().Current("a", "1").Current("b", "2")).size() == 2);
  watched.Restart();
  CHECK(watched.resume_token().empty());
  CHECK(watched.knows_all());
  CHECK(Told(watched, Message().Current("b", "3").IsCurrent("t1")) ==
        Events{"MODIFIED projects/b", "DELETED projects/a t1"});
}

TEST_CASE("Without a snapshot the times of a project tell whether it is new",
          "[watched_projects]") {
  WatchedProjects watched(Start::kChanges);
  CHECK_FALSE(watched.knows_all());
  CHECK(Told(watched,
             Message().Current("a", "1", true).Current("b", "2").Removed("c").IsCurrent("t1")) ==
        Events{"ADDED projects/a", "MODIFIED projects/b", "DELETED projects/c t1"});
  CHECK(Told(watched, Message().Current("a", "3").IsCurrent("t2")) ==
        Events{"MODIFIED projects/a t2"});
  Told(watched, Message().HardReset());
  CHECK(watched.knows_all());
  CHECK(Told(watched, Message().Current("a", "3").Current("d", "4").IsCurrent("t3")) ==
        Events{"ADDED projects/d", "DELETED projects/b t3"});
}

TEST_CASE("What a broker never confirms is told in the end", "[watched_projects]") {
  WatchedProjects watched = InSync();
  Message many;
  for (size_t i = 0; i <= WatchedProjects::kMostPending; ++i) {
    many.Current("p" + std::to_string(i), "5");
  }
  CHECK(Told(watched, many).size() == WatchedProjects::kMostPending + 1);
}

TEST_CASE("An event is a line, or a document", "[watched_projects]") {
  using Output = config::ProjectsConfig::Output;
  WatchedProjects watched(Start::kSnapshot);
  std::vector<ProjectEvent> events = watched.Take(Message().Current("a", "1").response());
  for (ProjectEvent& event : watched.Take(Message().Removed("a").IsCurrent("t1").response())) {
    events.push_back(std::move(event));
  }
  const auto printed = [&events](Output output) {
    return WatchPrinter(output, /*headers=*/true).Text(events, 61);
  };
  CHECK(printed(Output::kJson) ==
        R"({"object":{"metadata":{"createTime":"1970-01-01T00:00:01Z","resourceVersion":"1",)"
        R"("updateTime":"1970-01-01T00:00:02Z"},"name":"projects/a"},"type":"ADDED"})"
        "\n"
        R"({"object":{"name":"projects/a"},"resumeToken":"t1","type":"DELETED"})"
        "\n");
  CHECK(printed(Output::kTable) ==
        "EVENT      NAME         GENERATION   AGE      LABELS\n"
        "ADDED      projects/a   0            60s      <none>\n"
        "DELETED    projects/a   <none>       <none>   <none>\n");
  CHECK(printed(Output::kName) == "projects/a\nprojects/a\n");
  CHECK(printed(Output::kYaml) ==
        "---\nobject:\n  metadata:\n    createTime: \"1970-01-01T00:00:01Z\"\n"
        "    resourceVersion: \"1\"\n    updateTime: \"1970-01-01T00:00:02Z\"\n"
        "  name: projects/a\ntype: ADDED\n"
        "---\nobject:\n  name: projects/a\nresumeToken: t1\ntype: DELETED\n");
  events = watched.Take(Message().IsCurrent("t2").response());
  CHECK(printed(Output::kJson) == "{\"resumeToken\":\"t2\",\"type\":\"BOOKMARK\"}\n");
  CHECK(printed(Output::kTable).empty());
}

}  // namespace
}  // namespace culvert::forwarder
