// An Admin on a store of its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/admin.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::broker {

struct AdminFixture : store::StoreFixture {
  AdminFixture() {
    admin.emplace(*store,
                  Admin::Actions{[this] { return fingerprint; },
                                 [this](AdminChange change) { changes.push_back(change); },
                                 [this](const AuditEvent& event) { events.push_back(event); }});
  }

  absl::StatusOr<Json> Call(const std::string& command, const Json& args = Json::object()) {
    return admin->Handle({{"command", command}, {"args", args}}, {"uid 7"}, now);
  }
  Json Result(const std::string& command, const Json& args = Json::object()) {
    const auto result = Call(command, args);
    INFO(result.status().ToString());
    REQUIRE(result.ok());
    return *result;
  }
  static Json Subject(const std::string& kind, const std::string& name) {
    return {{"kind", kind}, {"name", name}};
  }

  absl::StatusOr<std::string> fingerprint = Key("ca");
  std::vector<AdminChange> changes;
  std::vector<AuditEvent> events;
  std::optional<Admin> admin;
};

}  // namespace culvert::broker
