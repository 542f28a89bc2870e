#include "store/store.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

// What another program does to the file.
void Execute(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

TEST_CASE_METHOD(StoreFixture, "Store is made with its directory, for its owner only", "[store]") {
  const std::string path = directory.File("a/b");
  REQUIRE(Store::Open(path, now).ok());
  CHECK(test::ModeOf(path) == 0700);
  CHECK(test::ModeOf(path + "/culvert.db") == 0600);
  CHECK(test::ModeOf(path + "/lock") == 0600);
}

TEST_CASE_METHOD(StoreFixture, "Store is open once at a time", "[store]") {
  const auto second = Store::Open(directory.path(), now);
  CHECK(absl::IsUnavailable(second.status()));
  CHECK(MessageOf(second.status()) == directory.path() + " is in use by another process");
  store.reset();
  CHECK(Store::Open(directory.path(), now).ok());
}

TEST_CASE_METHOD(StoreFixture, "Store has the project default and knows no other", "[store]") {
  CHECK(store->principals().List("default")->empty());
  CHECK(absl::IsNotFound(store->principals().List("other").status()));
}

TEST_CASE_METHOD(StoreFixture, "Store refuses the file of a newer program", "[store]") {
  store.reset();
  Execute(directory.File("culvert.db"), "PRAGMA user_version = 99");
  const auto opened = Store::Open(directory.path(), now);
  CHECK(absl::IsFailedPrecondition(opened.status()));
  CHECK(MessageOf(opened.status()).find("schema 99") != std::string_view::npos);
}

TEST_CASE_METHOD(StoreFixture, "Store says which file is no database", "[store]") {
  store.reset();
  directory.Write("culvert.db", std::string(8192, 'x'));
  const auto opened = Store::Open(directory.path(), now);
  CHECK(absl::IsInternal(opened.status()));
  CHECK(MessageOf(opened.status()).find(directory.File("culvert.db")) != std::string_view::npos);
}

TEST_CASE_METHOD(StoreFixture, "Store that others may write is refused", "[store]") {
  store.reset();
  const std::string name = GENERATE(std::string("."), "culvert.db", "culvert.db-wal");
  directory.Write("culvert.db-wal", "");
  const std::string path = directory.File(name);
  REQUIRE(chmod(path.c_str(), name == "." ? 0700 : 0600) == 0);
  const mode_t before = test::ModeOf(path);
  for (const mode_t others : {mode_t{020}, mode_t{002}}) {
    REQUIRE(chmod(path.c_str(), before | others) == 0);
    const auto opened = Store::Open(directory.path(), now);
    CHECK(absl::IsFailedPrecondition(opened.status()));
    CHECK(MessageOf(opened.status()).find("others may write " + path) != std::string_view::npos);
    CHECK(MessageOf(opened.status()).find("chmod go-w") != std::string_view::npos);
  }
  REQUIRE(chmod(path.c_str(), before) == 0);
  CHECK(Store::Open(directory.path(), now).ok());
}

TEST_CASE_METHOD(StoreFixture, "Store of another user is refused", "[store]") {
  if (geteuid() != 0) return;  // only root can give something away
  store.reset();
  const std::string path = directory.File(GENERATE(std::string("."), "culvert.db"));
  REQUIRE(chown(path.c_str(), 65534, 65534) == 0);
  const auto opened = Store::Open(directory.path(), now);
  CHECK(absl::IsFailedPrecondition(opened.status()));
  CHECK(MessageOf(opened.status()).find("belongs to another user, uid 65534") !=
        std::string_view::npos);
}

TEST_CASE_METHOD(StoreFixture, "Store does not follow a link in place of its files", "[store]") {
  store.reset();
  const std::string name = GENERATE(std::string("culvert.db"), "lock");
  std::filesystem::rename(directory.File(name), directory.File("elsewhere"));
  std::filesystem::create_symlink(directory.File("elsewhere"), directory.File(name));
  CHECK_FALSE(Store::Open(directory.path(), now).ok());
}

TEST_CASE_METHOD(StoreFixture, "Principals keep their first day and their last certificate",
                 "[store]") {
  REQUIRE(store->principals().Record(User("alice"), "01", now + std::chrono::hours(1), now).ok());
  const WallTime later = now + std::chrono::hours(10);
  REQUIRE(
      store->principals().Record(User("alice"), "02", later + std::chrono::hours(1), later).ok());
  Reopen();
  const auto keys = *store->principals().List("default");
  REQUIRE(keys.size() == 1);
  CHECK(keys[0].principal == User("alice"));
  CHECK(keys[0].first_enrolled == now);
  CHECK(keys[0].serial == "02");
  CHECK(keys[0].expires == later + std::chrono::hours(1));
}

TEST_CASE_METHOD(StoreFixture, "Principals have all their keys, and those of their role only",
                 "[store]") {
  Principal second = User("alice");
  second.key_id = Key("alice's other machine");
  for (const Principal& one : {User("alice"), second, Agent("alice")}) {
    REQUIRE(store->principals().Record(one, "01", now, now).ok());
  }
  const auto keys = *store->principals().KeysOf("default", Role::kUser, "alice");
  CHECK(keys.size() == 2);
  CHECK(store->principals().KeysOf("default", Role::kUser, "bob")->empty());
}

TEST_CASE_METHOD(StoreFixture, "Revoked keys stay revoked until they are not", "[store]") {
  RevocationTable* table = &store->revocations();
  CHECK_FALSE(table->IsRevoked(Key("alice")));
  REQUIRE(table->Revoke({Key("alice"), Key("bob")}, "lost", now).ok());
  REQUIRE(table->Revoke({Key("alice")}, "found again", now).ok());
  Reopen();
  table = &store->revocations();
  CHECK(table->IsRevoked(Key("alice")));
  const auto all = *table->List();
  REQUIRE(all.size() == 2);
  CHECK(all[0].reason == "lost");
  REQUIRE(table->Unrevoke(Key("alice")).ok());
  CHECK_FALSE(table->IsRevoked(Key("alice")));
  CHECK(table->IsRevoked(Key("bob")));
  CHECK(absl::IsNotFound(table->Unrevoke(Key("alice"))));
}

TEST_CASE_METHOD(StoreFixture, "Revoking takes all keys or none", "[store]") {
  CHECK(absl::IsInvalidArgument(store->revocations().Revoke({Key("alice"), "alice"}, "", now)));
  CHECK(absl::IsInvalidArgument(
      store->revocations().Revoke({Key("alice")}, std::string(257, 'x'), now)));
  CHECK_FALSE(store->revocations().IsRevoked(Key("alice")));
}

}  // namespace
}  // namespace culvert::store
