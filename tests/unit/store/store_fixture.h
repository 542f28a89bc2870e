// A store in a directory of its own, and a time that stands still.
#pragma once

#include <memory>
#include <string>

#include "crypto/digest.h"
#include "store/store.h"
#include "tests/support/catch.h"
#include "tests/support/temp_directory.h"

namespace culvert::store {

struct StoreFixture {
  StoreFixture() { Reopen(); }

  void Reopen() {
    store.reset();
    auto opened = Store::Open(directory.path(), now);
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    store = *std::move(opened);
  }
  // A key id that `name` always gives.
  static std::string Key(const std::string& name) {
    return crypto::Base32(crypto::Sha256("key of " + name));
  }
  static Principal User(const std::string& name) {
    return {"default", Role::kUser, name, Key(name)};
  }
  static Principal Agent(const std::string& name) {
    return {"default", Role::kAgent, name, Key(name)};
  }

  test::TempDirectory directory;
  WallTime now = FromUnixMillis(1'700'000'000'000);
  std::unique_ptr<Store> store;
};

}  // namespace culvert::store
