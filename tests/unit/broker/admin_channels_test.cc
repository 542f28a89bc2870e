#include "broker/admin_print.h"
#include "tests/support/catch.h"
#include "tests/unit/broker/admin_fixture.h"

namespace culvert::broker {
namespace {

struct ChannelsFixture : AdminFixture {
  ChannelsFixture() {
    Admin::Actions actions{[this] { return fingerprint; }, [](AdminChange) {},
                           [this](const AuditEvent& event) { events.push_back(event); }};
    actions.channels = {[this](const std::string& project) {
                          return project == live.project ? std::vector<LiveChannel>{live}
                                                         : std::vector<LiveChannel>();
                        },
                        [this](uint64_t id) -> std::optional<LiveChannel> {
                          killed.push_back(id);
                          remembered_first = store->killed_channels().Has(id);
                          if (id == live.id) return live;
                          return std::nullopt;
                        }};
    admin.emplace(*store, std::move(actions));
  }

  LiveChannel live{.id = 0x5d2f0a9c41b7e386,
                   .project = "default",
                   .consumer = "user alice",
                   .address = "127.0.0.1:4022",
                   .agent = "edge-1",
                   .service = "tcp",
                   .target = "db\n:5432",
                   .stitched = true,
                   .since = now,
                   .bytes_up = 7,
                   .bytes_down = 1000};
  std::vector<uint64_t> killed;
  bool remembered_first = false;
};

TEST_CASE_METHOD(ChannelsFixture, "Admin lists the channels of a project", "[admin]") {
  const Json list = Result("channels list");
  REQUIRE(list.size() == 1);
  CHECK(list[0]["id"] == "5d2f0a9c41b7e386");
  CHECK(list[0]["target"] == "db\n:5432");
  CHECK(list[0]["bytes_up"] == 7);
  CHECK(list[0]["bytes_down"] == 1000);
  CHECK(list[0]["path"] == "stitched");
  CHECK(Result("channels list", {{"project", "lab"}}).empty());
  CHECK(DescribeResult("channels list", list, Format::kText) ==
        "CHANNEL           CONSUMER    AGENT   SERVICE  TARGET     PATH      SINCE                 "
        "    UP  DOWN\n"
        "5d2f0a9c41b7e386  user alice  edge-1  tcp      db\\n:5432  stitched  "
        "2023-11-14T22:13:20.000Z  7   1000\n");
  live.stitched = false;
  CHECK(Result("channels list")[0]["path"] == "stream");
}

TEST_CASE_METHOD(ChannelsFixture, "Admin kills a channel, remembers it first and records it",
                 "[admin]") {
  const Json result = Result("channels kill", {{"id", "5d2f0a9c41b7e386"}});
  CHECK(killed == std::vector<uint64_t>{live.id});
  CHECK(remembered_first);
  CHECK(result["live"] == true);
  CHECK(DescribeResult("channels kill", result, Format::kText).empty());
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == AuditKind::kKill);
  CHECK(events[0].principal == "uid 7");
  CHECK(events[0].channel == "5d2f0a9c41b7e386");
  CHECK(events[0].agent == "edge-1");
  CHECK(events[0].reason == "killed: of user alice");
}

TEST_CASE_METHOD(ChannelsFixture, "Admin kills a channel that is not here, and says that it is not",
                 "[admin]") {
  const Json result = Result("channels kill", {{"id", "FF"}});
  CHECK(result["live"] == false);
  CHECK(store->killed_channels().Has(0xff));
  CHECK(DescribeResult("channels kill", result, Format::kText) ==
        "channel ff is not open here; its resume is refused from now on\n");
  CHECK(events.at(0).channel == "ff");
  Reopen();
  CHECK(store->killed_channels().Has(0xff));
}

TEST_CASE_METHOD(ChannelsFixture, "Admin refuses what is no channel's ID", "[admin]") {
  for (const char* id : {"", "0", "x", "0x5d", "-1", "5d ", "10000000000000000"}) {
    CAPTURE(id);
    const auto refused = Call("channels kill", {{"id", id}});
    CHECK(absl::IsInvalidArgument(refused.status()));
  }
  CHECK(absl::IsInvalidArgument(Call("channels kill").status()));
  CHECK(absl::IsInvalidArgument(Call("channels kill", {{"id", "5"}, {"x", 1}}).status()));
  CHECK(killed.empty());
}

TEST_CASE_METHOD(AdminFixture, "Admin without a broker has no channels, and kills all the same",
                 "[admin]") {
  CHECK(Result("channels list").empty());
  CHECK(Result("channels kill", {{"id", "5"}})["live"] == false);
  CHECK(store->killed_channels().Has(5));
}

}  // namespace
}  // namespace culvert::broker
