#include "store/project_table.h"

#include <sqlite3.h>

#include "base/status.h"
#include "store/project_store.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

using namespace std::chrono_literals;

struct ProjectTableFixture : StoreFixture {
  ProjectTableFixture() { OpenProjects(); }

  void OpenProjects() {
    auto opened = ProjectStore::Open(directory.path());
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    projects = *std::move(opened);
  }
  template <class Body>
  void Write(Body body) {
    const absl::Status written = projects->Write([&](ProjectTable& table) {
      body(table);
      return absl::OkStatus();
    });
    INFO(written.ToString());
    REQUIRE(written.ok());
  }
  template <class Body>
  auto Read(Body body) {
    std::optional<decltype(body(std::declval<ProjectTable&>()))> result;
    const absl::Status read = projects->Read([&](ProjectTable& table) {
      result = body(table);
      return absl::OkStatus();
    });
    INFO(read.ToString());
    REQUIRE(read.ok());
    return *std::move(result);
  }
  Project Made(const std::string& id, WallTime when) {
    Project project;
    project.set_name(ProjectName(id));
    project.mutable_multi_region_policy()->set_default_control_region("here");
    Write([&](ProjectTable& table) { table.Insert(project, when); });
    return project;
  }
  std::vector<std::string> Ids(const ProjectRange& range) {
    return Read([&](ProjectTable& table) {
      std::vector<std::string> ids;
      table.Scan(range, [&ids](const Project& project) {
        ids.push_back(ProjectId(project));
        return true;
      });
      return ids;
    });
  }
  std::vector<ProjectChange> ChangesAfter(int64_t version) {
    return Read([&](ProjectTable& table) { return table.ChangesAfter(version, 100, 1'000'000); });
  }

  std::unique_ptr<ProjectStore> projects;
};

using Names = std::vector<std::string>;

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable reads changes up to a number and up to bytes",
                 "[projects]") {
  const int64_t start = Read([](ProjectTable& table) { return table.Version(); });
  for (const char* id : {"a", "b", "c", "d"}) Made(id, now);
  const auto read = [&](bool latest, size_t most, size_t most_bytes) {
    const auto changes = Read([&](ProjectTable& table) {
      return latest ? table.LatestChanges(start, most, most_bytes)
                    : table.ChangesAfter(start, most, most_bytes);
    });
    std::string names;
    for (const ProjectChange& change : changes) names += change.latest().name().back();
    return names;
  };
  CHECK(read(false, 10, 1'000'000) == "abcd");
  CHECK(read(false, 3, 1'000'000) == "abc");
  CHECK(read(false, 10, 1) == "a");
  CHECK(read(true, 10, 1'000'000) == "abcd");
  CHECK(read(true, 3, 1'000'000) == "bcd");
  CHECK(read(true, 10, 1) == "d");
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable keeps a log of so many bytes", "[projects]") {
  const int64_t start = Read([](ProjectTable& table) { return table.TrimmedVersion(); });
  const auto trim = [&](int64_t kept_bytes) {
    Write([&](ProjectTable& table) { table.Trim(1000, 2, kept_bytes); });
    return Read([](ProjectTable& table) { return table.TrimmedVersion(); }) - start;
  };
  const auto change = [&](size_t bytes) {
    Write([&](ProjectTable& table) {
      const Project before = *table.Find("large");
      Project after = before;
      (*after.mutable_metadata()->mutable_labels())["x"] = std::string(bytes, 'x');
      table.Replace(before, after, false, now);
    });
  };
  Made("large", now);
  for (int i = 0; i < 5; ++i) change(10'000);
  CHECK(trim(200'000) == 0);
  CHECK(trim(80'000) == 2);  // some 90 KB, of which the first two changes have next to nothing
  CHECK(trim(80'000) == 4);
  CHECK(trim(80'000) == 4);
  // However much is written in the same bytes, it is counted.
  for (int i = 0; i < 20; ++i) change(1'000);
  CHECK(trim(120'000) == 4);
  CHECK(trim(50'000) == 6);
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable sets what is the broker's in a new project",
                 "[projects]") {
  const Project made = Made("lab", now);
  const goten::types::Meta& metadata = made.metadata();
  CHECK(metadata.create_time().seconds() == 1'700'000'000);
  CHECK(metadata.update_time().seconds() == 1'700'000'000);
  CHECK(metadata.uuid().size() == 36);
  CHECK(metadata.uuid()[14] == '4');
  CHECK(metadata.generation() == 1);
  CHECK(metadata.resource_version() ==
        std::to_string(Read([](ProjectTable& table) { return table.Version(); })));
  const auto found = Read([](ProjectTable& table) { return table.Find("lab"); });
  REQUIRE(found.has_value());
  CHECK(found->SerializeAsString() == made.SerializeAsString());
  CHECK_FALSE(Read([](ProjectTable& table) { return table.Find("other").has_value(); }));
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable keeps what is the broker's in a change",
                 "[projects]") {
  const Project before = Made("lab", now);
  Project after = before;
  after.mutable_metadata()->set_uuid("theirs");
  after.mutable_metadata()->set_generation(99);
  const bool is_new_spec = GENERATE(true, false);
  Write([&](ProjectTable& table) { table.Replace(before, after, is_new_spec, now + 5s); });
  CHECK(after.metadata().uuid() == before.metadata().uuid());
  CHECK(after.metadata().generation() == (is_new_spec ? 2 : 1));
  CHECK(after.metadata().create_time().seconds() == 1'700'000'000);
  CHECK(after.metadata().update_time().seconds() == 1'700'000'005);
  CHECK(std::stoll(after.metadata().resource_version()) ==
        std::stoll(before.metadata().resource_version()) + 1);
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable has every change in its log", "[projects]") {
  const int64_t start = Read([](ProjectTable& table) { return table.Version(); });
  const Project made = Made("lab", now);
  Project changed = made;
  (*changed.mutable_metadata()->mutable_labels())["env"] = "test";
  Write([&](ProjectTable& table) { table.Replace(made, changed, false, now + 1s); });
  Write([&](ProjectTable& table) { table.Remove(changed, now + 2s); });

  const std::vector<ProjectChange> changes = ChangesAfter(start);
  REQUIRE(changes.size() == 3);
  CHECK_FALSE(changes[0].before.has_value());
  CHECK(changes[0].after->SerializeAsString() == made.SerializeAsString());
  CHECK(changes[1].before->SerializeAsString() == made.SerializeAsString());
  CHECK(changes[1].after->metadata().labels().at("env") == "test");
  CHECK(changes[2].before->metadata().labels().at("env") == "test");
  CHECK_FALSE(changes[2].after.has_value());
  for (size_t i = 0; i < changes.size(); ++i) {
    CHECK(changes[i].version == start + static_cast<int64_t>(i) + 1);
    CHECK(changes[i].time == now + std::chrono::seconds(i));
  }
  CHECK(ChangesAfter(start + 2).size() == 1);
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable finds where its log begins at a time",
                 "[projects]") {
  const int64_t start = Read([](ProjectTable& table) { return table.Version(); });
  Made("a", now + 10s);
  Made("b", now + 20s);
  const auto before = [this](WallTime time) {
    return Read([time](ProjectTable& table) { return table.VersionBefore(time); });
  };
  CHECK(before(now + 10s) == start);
  CHECK(before(now + 11s) == start + 1);
  CHECK(before(now + 30s) == start + 2);
  // The clock was set back in between.
  Made("c", now + 5s);
  CHECK(before(now + 11s) == start + 1);
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable trims its log from the oldest on",
                 "[projects]") {
  for (int i = 0; i < 10; ++i) Made(std::string(1, static_cast<char>('a' + i)), now);
  const int64_t last = Read([](ProjectTable& table) { return table.Version(); });
  Write([](ProjectTable& table) { table.Trim(/*kept=*/4, /*most=*/3); });
  CHECK(Read([](ProjectTable& table) { return table.TrimmedVersion(); }) == 3);
  Write([](ProjectTable& table) { table.Trim(4, 1000); });
  CHECK(Read([](ProjectTable& table) { return table.TrimmedVersion(); }) == last - 4);
  CHECK(ChangesAfter(0).size() == 4);
  Write([](ProjectTable& table) { table.Trim(4, 1000); });
  CHECK(ChangesAfter(0).size() == 4);
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable reads its indexes from any place, both ways",
                 "[projects]") {
  Made("c", now + 1s);
  Made("a", now + 2s);
  Made("b", now + 2s);
  using enum ProjectIndex;
  CHECK(Ids({.index = kName, .most = 9}) == Names{"a", "b", "c", "default"});
  CHECK(Ids({.index = kName, .backwards = true, .most = 2}) == Names{"default", "c"});
  CHECK(Ids({.index = kName, .from = ProjectPlace{{}, "b"}, .most = 9}) == Names{"c", "default"});
  CHECK(Ids({.index = kName, .from = ProjectPlace{{}, "b"}, .including_from = true, .most = 2}) ==
        Names{"b", "c"});
  CHECK(Ids({.index = kName, .backwards = true, .from = ProjectPlace{{}, "b"}, .most = 9}) ==
        Names{"a"});
  CHECK(Ids({.index = kCreateTime, .most = 9}) == Names{"default", "c", "a", "b"});
  const ProjectPlace a{now + 2s, "a"};
  CHECK(Ids({.index = kCreateTime, .from = a, .most = 9}) == Names{"b"});
  CHECK(Ids({.index = kUpdateTime, .backwards = true, .from = a, .most = 9}) ==
        Names{"c", "default"});
  const auto count = [&](const ProjectRange& range) {
    return Read([&](ProjectTable& table) { return table.CountBefore(range); });
  };
  CHECK(count({.index = kCreateTime, .from = a}) == 3);
  CHECK(count({.index = kCreateTime, .from = a, .including_from = true}) == 2);
  CHECK(count({.index = kCreateTime, .backwards = true, .from = a}) == 2);
  CHECK(count({.index = kName}) == 0);
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectStore leaves nothing of what fails", "[projects]") {
  const absl::Status written = projects->Write([&](ProjectTable& table) {
    Project project;
    project.set_name("projects/half");
    table.Insert(project, now);
    return absl::AbortedError("no");
  });
  CHECK(absl::IsAborted(written));
  CHECK_FALSE(Read([](ProjectTable& table) { return table.Has("half"); }));
}

TEST_CASE_METHOD(ProjectTableFixture, "ProjectTable makes resources of what older brokers kept",
                 "[projects]") {
  projects.reset();
  store.reset();
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(directory.File("culvert.db").c_str(), &database) == SQLITE_OK);
  REQUIRE(sqlite3_exec(database, "INSERT INTO projects (name, created) VALUES ('old', 1000)",
                       nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
  Reopen();
  OpenProjects();
  const auto old = Read([](ProjectTable& table) { return table.Find("old"); });
  REQUIRE(old.has_value());
  CHECK(old->name() == "projects/old");
  CHECK(old->metadata().create_time().seconds() == 1);
  CHECK(old->metadata().generation() == 1);
  CHECK(old->has_multi_region_policy());
  CHECK(Ids({.index = ProjectIndex::kCreateTime, .most = 1}) == Names{"old"});
}

TEST_CASE_METHOD(ProjectTableFixture, "Store forgets everything of a deleted project",
                 "[projects]") {
  REQUIRE(store->tokens().Create({"lab", Role::kUser, "alice"}, now + 1h, now).ok());
  Principal alice = User("alice");
  alice.project = "lab";
  REQUIRE(store->principals().Record(alice, "01", now + 1h, now).ok());
  const Rule rule{"lab", {SubjectKind::kUser, "alice"}, "connect"};
  REQUIRE(store->policy().Allow(rule, "uid 0", now).ok());
  CHECK(store->HasProject("lab"));
  const Request request{Permission::kConnect, "edge", "tcp", ""};
  REQUIRE(store->policy().current()->Evaluate(alice, request).allowed);

  const absl::Status removed = store->RemoveProject("lab", now);
  INFO(removed.ToString());
  REQUIRE(removed.ok());
  CHECK_FALSE(store->HasProject("lab"));
  CHECK(store->revocations().IsRevoked(alice.key_id));
  CHECK_FALSE(store->policy().current()->Evaluate(alice, request).allowed);
  // Under the same name again there is nobody.
  REQUIRE(store->tokens().Create({"lab", Role::kUser, "bob"}, now + 1h, now).ok());
  CHECK(store->principals().List("lab")->empty());
  CHECK(store->tokens().List("lab")->size() == 1);
  CHECK(store->revocations().IsRevoked(alice.key_id));
  // The other connection's log has it all.
  const std::vector<ProjectChange> changes = ChangesAfter(0);
  REQUIRE(changes.size() == 4);
  CHECK(changes[2].latest().name() == "projects/lab");
  CHECK_FALSE(changes[2].after.has_value());
}

TEST_CASE_METHOD(ProjectTableFixture, "Store keeps projects that must not be deleted",
                 "[projects]") {
  CHECK(absl::IsFailedPrecondition(store->RemoveProject("default", now)));
  CHECK(absl::IsNotFound(store->RemoveProject("none", now)));
  Project project;
  project.set_name("projects/kept");
  project.mutable_metadata()->mutable_lifecycle()->set_block_deletion(true);
  Write([&](ProjectTable& table) { table.Insert(project, now); });
  CHECK(absl::IsFailedPrecondition(store->RemoveProject("kept", now)));
  CHECK(store->HasProject("kept"));
}

}  // namespace
}  // namespace culvert::store
