// A store of projects in a directory of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "store/project_store.h"
#include "store/store.h"
#include "tests/support/catch.h"
#include "tests/support/temp_directory.h"

namespace culvert::broker {

struct ProjectFixture {
  ProjectFixture() {
    auto opened = store::Store::Open(directory.path(), now);
    REQUIRE(opened.ok());
    store = *std::move(opened);
    auto opened_projects = store::ProjectStore::Open(directory.path());
    REQUIRE(opened_projects.ok());
    projects = *std::move(opened_projects);
  }

  // All that `body` does in one transaction: a disk takes milliseconds for each.
  template <class Body>
  void AtOnce(Body body) {
    REQUIRE(projects
                ->Write([&](store::ProjectTable& table) {
                  open = &table;
                  body();
                  open = nullptr;
                  return absl::OkStatus();
                })
                .ok());
  }

  // What `body` returns, in a transaction that is kept.
  template <class Body>
  auto Write(Body body) {
    if (open != nullptr) return body(*open);
    std::optional<decltype(body(std::declval<store::ProjectTable&>()))> result;
    REQUIRE(projects
                ->Write([&](store::ProjectTable& table) {
                  result = body(table);
                  return absl::OkStatus();
                })
                .ok());
    return *std::move(result);
  }

  test::TempDirectory directory;
  WallTime now = FromUnixMillis(1'700'000'000'000);
  std::unique_ptr<store::Store> store;
  std::unique_ptr<store::ProjectStore> projects;
  store::ProjectTable* open = nullptr;  // of the transaction that AtOnce has open
};

}  // namespace culvert::broker
