#include <sqlite3.h>

#include "base/status.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

struct QuotaFixture : StoreFixture {
  // The first token of a project makes it.
  void MakeProjectOf(const std::string& project) {
    const Enrolment enrolment{project, Role::kAgent, "edge-1"};
    REQUIRE(store->tokens().Create(enrolment, now + std::chrono::hours(1), now).ok());
  }
  absl::Status Set(const std::string& project, const QuotaChange& change) {
    return store->quotas().Set(project, change, changed);
  }
  Quota Of(const std::string& project) { return store->quotas().Of(project); }

  Quota changed;
};

constexpr const char* kOthers = QuotaTable::kDefault;

TEST_CASE_METHOD(QuotaFixture, "Quota table limits nothing at first", "[quota_table]") {
  CHECK(Of("default") == Quota());
  CHECK(store->quotas().List().empty());
}

TEST_CASE_METHOD(QuotaFixture, "Quota table changes what is named, and keeps it", "[quota_table]") {
  REQUIRE(Set("default", {.agents = 7, .channels = 0}).ok());
  CHECK(changed == Quota{.agents = 7, .channels = 0});
  REQUIRE(Set("default", {.agents = std::optional<uint64_t>(), .bytes_per_second = 1 << 20}).ok());
  const Quota expected{.channels = 0, .bytes_per_second = 1 << 20};
  CHECK(Of("default") == expected);
  Reopen();
  CHECK(Of("default") == expected);
  CHECK(expected.ToString() == "channels 0, bytes per second 1048576");
}

TEST_CASE_METHOD(QuotaFixture, "Quota of the others counts for who has none of its own, whole",
                 "[quota_table]") {
  MakeProjectOf("lab");
  REQUIRE(Set(kOthers, {.agents = 5, .new_channels_per_second = 9}).ok());
  CHECK(Of("lab") == Quota{.agents = 5, .new_channels_per_second = 9});
  REQUIRE(Set("lab", {.channels = 1}).ok());
  CHECK(Of("lab") == Quota{.channels = 1});
  Reopen();
  CHECK(Of("lab") == Quota{.channels = 1});
  CHECK(Of("not made yet") == Quota{.agents = 5, .new_channels_per_second = 9});
  const auto list = store->quotas().List();
  REQUIRE(list.size() == 2);
  CHECK(list[0].first == kOthers);
  CHECK(list[1].first == "lab");

  REQUIRE(store->quotas().Clear("lab").ok());
  CHECK(Of("lab") == Quota{.agents = 5, .new_channels_per_second = 9});
  CHECK(absl::IsNotFound(store->quotas().Clear("lab")));
  REQUIRE(store->quotas().Clear(kOthers).ok());
  Reopen();
  CHECK(Of("lab") == Quota());
}

TEST_CASE_METHOD(QuotaFixture, "Quota table refuses unknown projects and limits out of range",
                 "[quota_table]") {
  CHECK(absl::IsNotFound(Set("nowhere", {.agents = 1})));
  CHECK(Of("nowhere") == Quota());
  for (const uint64_t bytes : {uint64_t{0}, QuotaTable::kLeastBytesPerSecond - 1,
                               QuotaTable::kMostBytesPerSecond + 1, UINT64_MAX}) {
    CHECK(absl::IsInvalidArgument(Set("default", {.bytes_per_second = bytes})));
  }
  CHECK(absl::IsInvalidArgument(Set("default", {.agents = uint64_t{1} << 32})));
  CHECK(absl::IsInvalidArgument(Set("default", {.channels = UINT64_MAX})));
  CHECK(absl::IsInvalidArgument(Set("default", {.new_channels_per_second = uint64_t{1} << 32})));
  CHECK(Set("default", {.bytes_per_second = QuotaTable::kLeastBytesPerSecond}).ok());
  CHECK(Set("default", {.bytes_per_second = QuotaTable::kMostBytesPerSecond}).ok());
}

TEST_CASE_METHOD(QuotaFixture, "Quota goes with its project", "[quota_table]") {
  MakeProjectOf("lab");
  REQUIRE(Set("lab", {.agents = 1}).ok());
  REQUIRE(Set("default", {.agents = 2}).ok());
  REQUIRE(store->RemoveProject("lab", now).ok());
  CHECK(Of("lab") == Quota());
  CHECK(Of("default") == Quota{.agents = 2});
  MakeProjectOf("lab");
  Reopen();
  CHECK(Of("lab") == Quota());
}

TEST_CASE_METHOD(QuotaFixture, "Store from before quotas gets their table", "[quota_table]") {
  store.reset();
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(directory.File("culvert.db").c_str(), &database) == SQLITE_OK);
  // With what came after them, too.
  CHECK(sqlite3_exec(database,
                     "DROP TABLE quotas; DROP INDEX project_changes_by_time; "
                     "ALTER TABLE project_version DROP COLUMN log_bytes; PRAGMA user_version = 6",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
  Reopen();
  CHECK(Set("default", {.agents = 1}).ok());
  Reopen();
  CHECK(Of("default") == Quota{.agents = 1});
}

}  // namespace
}  // namespace culvert::store
