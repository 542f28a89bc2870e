#include "broker/admin_print.h"
#include "tests/support/catch.h"
#include "tests/unit/broker/admin_fixture.h"

namespace culvert::broker {
namespace {

struct QuotaAdminFixture : AdminFixture {
  // Of the broker that runs; nothing: there is none.
  std::optional<QuotaUse> use;

  QuotaAdminFixture() {
    Admin::Actions actions{[this] { return fingerprint; },
                           [this](AdminChange change) { changes.push_back(change); },
                           [this](const AuditEvent& event) { events.push_back(event); }};
    actions.quota_use = [this](const std::string&) { return use; };
    admin.emplace(*store, std::move(actions));
  }
};

TEST_CASE_METHOD(QuotaAdminFixture, "Admin sets a quota, tells who has to know and records it",
                 "[admin]") {
  const Json result = Result("quota set", {{"agents", 100}, {"bytes_per_second", 10'485'760}});
  CHECK(result == Json{{"project", "default"}, {"agents", 100}, {"bytes_per_second", 10'485'760}});
  CHECK(DescribeResult("quota set", result, Format::kText).empty());
  CHECK(changes == std::vector{AdminChange::kQuotas});
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == AuditKind::kPolicy);
  CHECK(events[0].project == "default");
  CHECK(events[0].principal == "uid 7");
  CHECK(events[0].reason == "quota: agents 100, bytes per second 10485760");

  Result("quota set", {{"agents", "unlimited"}, {"channels", 5}});
  CHECK(store->quotas().Of("default") ==
        store::Quota{.channels = 5, .bytes_per_second = 10'485'760});
  Result("quota set", {{"project", "*"}, {"channels", 1}});
  CHECK(events.back().project.empty());
  CHECK(events.back().reason == "quota of the other projects: channels 1");
}

TEST_CASE_METHOD(QuotaAdminFixture, "Admin takes a quota away", "[admin]") {
  Result("quota set", {{"agents", 1}});
  Result("quota clear");
  CHECK(store->quotas().Of("default") == store::Quota());
  CHECK(changes.back() == AdminChange::kQuotas);
  CHECK(events.back().reason == "quota taken away");
  CHECK(absl::IsNotFound(Call("quota clear").status()));
}

TEST_CASE_METHOD(QuotaAdminFixture, "Admin lists quotas, with their use where a broker runs",
                 "[admin]") {
  CHECK(Result("quota list").empty());
  Result("quota set", {{"agents", 100}, {"channels", 0}, {"bytes_per_second", 10'485'760}});
  Result("quota set", {{"project", "*"}, {"new_channels_per_second", 50}});
  Json list = Result("quota list");
  REQUIRE(list.size() == 2);
  CHECK(list[0] == Json{{"project", "*"}, {"new_channels_per_second", 50}});
  CHECK(DescribeResult("quota list", list, Format::kText) ==
        "PROJECT  AGENTS  CHANNELS  BYTES/S   NEW CHANNELS/S\n"
        "*        -       -         -         50\n"
        "default  100     0         10485760  -\n");

  use = QuotaUse{.agents = 3, .channels = 2, .bytes_per_second = 1'000};
  list = Result("quota list");
  CHECK(list[1]["use"] == Json{{"agents", 3}, {"channels", 2}, {"bytes_per_second", 1'000}});
  CHECK(list[1]["agents"] == 100);
  CHECK(DescribeResult("quota list", list, Format::kText) ==
        "PROJECT  AGENTS  CHANNELS  BYTES/S        NEW CHANNELS/S\n"
        "*        -       -         -              50\n"
        "default  3/100   2/0       1000/10485760  -\n");
}

TEST_CASE_METHOD(QuotaAdminFixture, "Admin refuses quotas that make no sense", "[admin]") {
  CHECK(absl::IsNotFound(Call("quota set", {{"project", "lab"}, {"agents", 1}}).status()));
  for (const Json& bad : {Json(-1), Json(1.5), Json("5"), Json(true), Json::array(), Json("")}) {
    CAPTURE(bad.dump());
    CHECK(absl::IsInvalidArgument(Call("quota set", {{"agents", bad}}).status()));
  }
  CHECK(absl::IsInvalidArgument(Call("quota set", {{"bytes_per_second", 1}}).status()));
  CHECK(absl::IsInvalidArgument(Call("quota set", {{"agent", 1}}).status()));
  CHECK(absl::IsInvalidArgument(Call("quota list", {{"project", "default"}}).status()));
  CHECK(absl::IsInvalidArgument(Call("quota clear", {{"agents", 1}}).status()));
  CHECK(events.empty());
  CHECK(changes.empty());
}

}  // namespace
}  // namespace culvert::broker
