#include "broker/project_watch.h"

#include <functional>
#include <random>

#include "tests/unit/broker/watch_clients.h"

namespace culvert::broker {
namespace {

WatchRequest Stateless(const std::string& filter = "", int32_t chunk = 0) {
  WatchRequest request;
  request.set_type(goten::types::STATELESS);
  request.set_filter(filter);
  request.set_max_chunk_size(chunk);
  return request;
}

WatchRequest Stateful(int32_t page_size, const std::string& order_by = "",
                      const std::string& filter = "") {
  WatchRequest request;
  request.set_page_size(page_size);
  request.set_order_by(order_by);
  request.set_filter(filter);
  return request;
}

template <class Message>
Message Masked(Message request, const std::string& path) {
  request.mutable_field_mask()->add_paths(path);
  return request;
}

struct RandomChanges : WatchFixture {
  // Of `ids` projects one is made, changed or removed.
  void Change(uint32_t ids) {
    const std::string id = fmt::format("p{}", random() % ids);
    if (random() % 4 == 0) {
      Remove(id);
    } else {
      Put(id, fmt::format("r{}", random() % 3), random() % 2 == 0 ? "prod" : "test");
    }
  }

  std::minstd_rand random{20'261'129};
};

TEST_CASE_METHOD(RandomChanges,
                 "After 10,000 changes and any disconnects a watch has what the list has",
                 "[projects][watch]") {
  const uint32_t ids = 60;
  AtOnce([&] {
    for (int i = 0; i < 100; ++i) Change(ids);
  });
  ntt::proxies::v1::ListProjectsRequest first_page;
  first_page.set_page_size(7);
  List(first_page, {}, resource::Mask::Everything());
  WatchRequest second_page = Stateful(7);
  second_page.set_page_token(links.next);
  first_page.set_page_token(links.next);
  List(first_page, {}, resource::Mask::Everything());
  WatchRequest to_the_left = Stateful(5);
  to_the_left.set_page_token(links.prev);

  std::vector<std::unique_ptr<StatelessClient>> stateless;
  const auto add_stateless = [&](const WatchRequest& request, const ProjectScope& scope = {}) {
    stateless.push_back(std::make_unique<StatelessClient>(*this, request, scope));
  };
  add_stateless(Stateless("", 3));
  add_stateless(Stateless(R"(metadata.labels.env = "prod")", 5));
  add_stateless(Masked(Stateless(), "multi_region_policy.default_control_region"));
  add_stateless(Masked(Stateless(R"(metadata.labels.env = "prod")", 1), "metadata.labels"));
  add_stateless(Stateless(), ProjectScope{"p7"});
  std::vector<std::unique_ptr<WatchClient>> stateful;
  for (const WatchRequest& request :
       {Stateful(10), Stateful(10, "name desc"), Stateful(1000),
        Stateful(8, "metadata.update_time desc"),
        Stateful(9, "multi_region_policy.default_control_region desc, metadata.labels.env"),
        Stateful(6, "", R"(metadata.labels.env = "prod")"), second_page, to_the_left,
        Masked(Stateful(12), "metadata.labels.env")}) {
    stateful.push_back(std::make_unique<StatefulClient>(*this, request));
  }
  std::vector<WatchClient*> clients;
  for (auto& client : stateless) clients.push_back(client.get());
  for (auto& client : stateful) clients.push_back(client.get());

  for (int part = 0; part < 40; ++part) {
    AtOnce([&] {
      for (int change = 0; change < 250; ++change) {
        Change(ids);
        // The log keeps little, so that who is slow, or away, is too late now and then.
        if (random() % 200 == 0) Trim(20);
        for (WatchClient* client : clients) {
          if (random() % 3 == 0) client->Advance();
          if (random() % 150 == 0) client->Reconnect();
        }
      }
      for (WatchClient* client : clients) {
        CAPTURE(part);
        client->AdvanceToEnd();
        client->Check();
      }
    });
  }
  for (const auto& client : stateless) {
    CHECK(client->resumed() > 0);
    CHECK(client->sent_again() == 0);
  }
  CHECK(stateless.front()->hard_resets() > 0);
}

TEST_CASE_METHOD(RandomChanges, "What changes while a long snapshot is read is in it once",
                 "[projects][watch]") {
  AtOnce([&] {
    for (int i = 0; i < 4'500; ++i) Put(fmt::format("p{}", i), "r0", "prod");
  });
  std::vector<std::unique_ptr<WatchClient>> clients;
  WatchRequest mixed =
      Stateful(50, "multi_region_policy.default_control_region, metadata.update_time");
  auto all = std::make_unique<StatelessClient>(*this, Stateless("", 700));
  const StatelessClient& snapshot = *all;
  clients.push_back(std::move(all));
  clients.push_back(std::make_unique<StatefulClient>(*this, mixed));
  clients.push_back(std::make_unique<StatefulClient>(*this, Stateful(1000, "name desc")));
  for (int round = 0; round < 20; ++round) {
    AtOnce([&] {
      for (int i = 0; i < 30; ++i) Change(4'500);
    });
    for (auto& client : clients) client->Advance();
  }
  for (auto& client : clients) {
    client->AdvanceToEnd();
    client->Check();
  }
  CHECK(snapshot.sent_again() == 0);
}

TEST_CASE_METHOD(RandomChanges, "A page that its bytes cut is the list's, whatever becomes of them",
                 "[projects][watch]") {
  StatefulClient all(*this, Stateful(200));
  StatefulClient backwards(*this, Stateful(100, "metadata.update_time desc"));
  const auto check = [&] {
    for (StatefulClient* client : {&all, &backwards}) {
      client->AdvanceToEnd();
      client->Check();
    }
  };
  AtOnce([&] {
    for (int i = 0; i < 150; ++i) Put(fmt::format("p{}", i), std::string(60'000, 'x'), "large");
    check();
    // One just below the limit after another, and then smaller ones again.
    for (int i = 0; i < 150; ++i) {
      Put(fmt::format("p{}", i), std::string(random() % 3 == 0 ? 64'900 : 40'000, 'x'), "other");
      if (i % 10 == 0) check();
    }
    for (int i = 0; i < 150; ++i) {
      Put(fmt::format("p{}", random() % 150), "small", "small");
      if (i % 10 == 0) check();
    }
    for (int i = 0; i < 150; ++i) Put(fmt::format("p{}", i), "small", "small");
    check();
  });
}

TEST_CASE_METHOD(RandomChanges, "A step ends when its time has come, and nothing is lost",
                 "[projects][watch]") {
  AtOnce([&] {
    for (int i = 0; i < 300; ++i) Put(fmt::format("p{}", i), "r", "prod");
  });
  std::vector<std::unique_ptr<WatchClient>> clients;
  clients.push_back(std::make_unique<StatelessClient>(*this, Stateless("", 50)));
  clients.push_back(std::make_unique<StatefulClient>(*this, Stateful(40)));
  clients.push_back(std::make_unique<StatefulClient>(
      *this, Stateful(30, "multi_region_policy.default_control_region desc")));
  step_end = [] { return StepEnd::After(Duration(0)); };
  AtOnce([&] {
    for (int i = 0; i < 100; ++i) {
      Change(300);
      for (auto& client : clients) client->Advance();
    }
    for (auto& client : clients) {
      client->AdvanceToEnd();
      client->Check();
    }
  });
}

TEST_CASE_METHOD(WatchFixture, "A stateless snapshot comes in chunks, the last one current",
                 "[projects][watch]") {
  for (int i = 0; i < 9; ++i) Put(fmt::format("p{}", i), "r", "x");
  auto watch = Start(Stateless("name != \"projects/default\"", 4));
  const std::vector<WatchResponse> responses = Drain(*watch);
  REQUIRE(responses.size() == 3);
  CHECK(responses[0].project_changes_size() == 4);
  CHECK_FALSE(responses[0].is_current());
  CHECK(responses[0].resume_token().empty());
  CHECK(responses[1].project_changes_size() == 4);
  CHECK(responses[2].project_changes_size() == 1);
  CHECK(responses[2].is_current());
  CHECK_FALSE(responses[2].resume_token().empty());
  for (const WatchResponse& response : responses) CHECK(response.snapshot_size() == -1);
}

TEST_CASE_METHOD(WatchFixture, "A watch of nothing is current at once", "[projects][watch]") {
  for (const WatchRequest& request :
       {Stateless("name = \"projects/none\""), Stateful(0, "", "name = \"projects/none\"")}) {
    auto watch = Start(request);
    const std::vector<WatchResponse> responses = Drain(*watch);
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].is_current());
    CHECK(responses[0].project_changes().empty());
  }
}

TEST_CASE_METHOD(WatchFixture, "A mask hides changes elsewhere, a filter shows who leaves it",
                 "[projects][watch]") {
  Put("a", "r1", "prod");
  auto masked = Start(Masked(Stateless(), "multi_region_policy"));
  auto filtered = Start(Stateless(R"(metadata.labels.env = "prod")"));
  Drain(*masked);
  Drain(*filtered);
  Put("a", "r1", "test");
  CHECK(Drain(*masked).empty());
  std::vector<WatchResponse> responses = Drain(*filtered);
  REQUIRE(responses.size() == 1);
  REQUIRE(responses[0].project_changes_size() == 1);
  CHECK(responses[0].project_changes(0).removed().name() == "projects/a");
  Put("a", "r2", "prod");
  responses = Drain(*masked);
  REQUIRE(responses.size() == 1);
  const store::Project& shown = responses[0].project_changes(0).current().project();
  CHECK(shown.name() == "projects/a");
  CHECK(shown.multi_region_policy().default_control_region() == "r2");
  CHECK_FALSE(shown.has_metadata());
  CHECK(Drain(*filtered)[0].project_changes(0).has_current());
}

TEST_CASE_METHOD(WatchFixture, "A watch that is resumed gets what it missed", "[projects][watch]") {
  Put("a", "r1", "prod");
  auto watch = Start(Stateless());
  const std::string token = Drain(*watch).back().resume_token();
  watch.reset();
  Put("b", "r1", "prod");
  Remove("a");
  WatchRequest request = Stateless();
  request.set_resume_token(token);
  std::vector<WatchResponse> responses = Drain(*Start(request));
  REQUIRE(responses.size() == 1);
  REQUIRE(responses[0].project_changes_size() == 2);
  CHECK(responses[0].project_changes(0).current().project().name() == "projects/b");
  CHECK(responses[0].project_changes(1).removed().name() == "projects/a");
  request.set_resume_token(responses[0].resume_token());
  responses = Drain(*Start(request));  // nothing was missed, and it hears so
  REQUIRE(responses.size() == 1);
  CHECK(responses[0].project_changes().empty());
  CHECK(responses[0].is_current());
}

TEST_CASE_METHOD(WatchFixture, "A token that the log does not reach is a hard reset",
                 "[projects][watch]") {
  Put("a", "r1", "prod");
  auto watch = Start(Stateless());
  WatchRequest request = Stateless();
  request.set_resume_token(Drain(*watch).back().resume_token());
  SECTION("because it was trimmed") {
    for (int i = 0; i < 5; ++i) Put("b", "r1", std::to_string(i));
    Trim(2);
    watch = Start(request);
  }
  SECTION("because its watch saw other projects") { watch = Start(request, ProjectScope{"a"}); }
  const std::vector<WatchResponse> responses = Drain(*watch);
  REQUIRE(responses.size() == 2);
  CHECK(responses[0].is_hard_reset());
  CHECK(responses[0].snapshot_size() == -1);
  CHECK_FALSE(responses[0].is_current());
  CHECK(responses[1].is_current());
  CHECK(responses[1].project_changes(0).has_current());
}

TEST_CASE_METHOD(WatchFixture, "A starting time has no snapshot", "[projects][watch]") {
  Put("a", "r1", "prod");
  Put("b", "r1", "prod");
  const int64_t micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  WatchRequest request = Stateless();
  request.mutable_starting_time()->set_seconds(micros / 1'000'000);
  request.mutable_starting_time()->set_nanos(static_cast<int32_t>(micros % 1'000'000) * 1'000);
  auto watch = Start(request);
  const std::vector<WatchResponse> responses = Drain(*watch);
  REQUIRE(responses.size() == 1);
  REQUIRE(responses[0].project_changes_size() == 1);
  CHECK(responses[0].project_changes(0).current().project().name() == "projects/b");
  CHECK_FALSE(responses[0].resume_token().empty());
}

TEST_CASE_METHOD(WatchFixture, "Who waits long for a change hears how far the log is",
                 "[projects][watch]") {
  auto watch = Start(Stateless("name = \"projects/none\""));
  Drain(*watch);
  Write([&](store::ProjectTable& table) {
    store::Project project = *table.Find("default");
    for (int i = 0; i < 10'500; ++i) {
      const store::Project before = project;
      (*project.mutable_metadata()->mutable_labels())["n"] = std::to_string(i);
      table.Replace(before, project, false, now);
    }
    return true;
  });
  const std::vector<WatchResponse> responses = Drain(*watch);
  REQUIRE_FALSE(responses.empty());
  CHECK(responses.back().project_changes().empty());
  CHECK_FALSE(responses.back().resume_token().empty());
}

TEST_CASE_METHOD(WatchFixture, "A watch of one project", "[projects][watch]") {
  using ntt::proxies::v1::WatchProjectResponse;
  const auto next = [this](ProjectWatch& watch) {
    auto step = Advance(watch);
    REQUIRE(step.ok());
    CHECK(step->is_idle);
    std::vector<ntt::proxies::v1::ProjectChange> changes;
    for (const rpc::Frame& frame : step->frames) {
      changes.push_back(ParseFrame<WatchProjectResponse>(frame).change());
    }
    return changes;
  };
  auto missing = MakeSingleWatch("none", resource::Mask::Everything());
  CHECK(Advance(*missing).status().code() == absl::StatusCode::kNotFound);

  Put("a", "r1", "prod");
  google::protobuf::FieldMask paths;
  paths.add_paths("multi_region_policy");
  auto watch = MakeSingleWatch("a", *ParseWatchMask(paths, goten::types::UNSPECIFIED));
  CHECK(next(*watch).at(0).added().project().name() == "projects/a");
  CHECK(next(*watch).empty());
  Put("a", "r1", "test");
  Put("b", "r1", "test");
  CHECK(next(*watch).empty());
  Put("a", "r2", "test");
  CHECK(next(*watch).at(0).modified().project().multi_region_policy().default_control_region() ==
        "r2");
  Remove("a");
  CHECK(next(*watch).at(0).removed().name() == "projects/a");
  Put("a", "r3", "test");
  CHECK(next(*watch).at(0).has_added());
}

TEST_CASE_METHOD(WatchFixture, "WatchProjects refuses what is not of its type",
                 "[projects][watch]") {
  struct Row {
    std::function<void(WatchRequest&)> set;
    std::string message;
  };
  WatchRequest stateful;
  WatchRequest stateless = Stateless();
  const std::vector<std::pair<WatchRequest, Row>> rows = {
      {stateful,
       {[](WatchRequest& r) { r.set_resume_token("x"); }, "resume_token is not for stateful"}},
      {stateful,
       {[](WatchRequest& r) { r.mutable_starting_time(); }, "starting_time is not for stateful"}},
      {stateless, {[](WatchRequest& r) { r.set_page_size(1); }, "page_size is not for stateless"}},
      {stateless,
       {[](WatchRequest& r) { r.set_page_token("x"); }, "page_token is not for stateless"}},
      {stateless,
       {[](WatchRequest& r) { r.set_order_by("name"); }, "order_by is not for stateless"}},
      {stateless, {[](WatchRequest& r) { r.set_max_chunk_size(-1); }, "max_chunk_size is below 0"}},
      {stateless,
       {[](WatchRequest& r) { r.set_resume_token("x"); }, "resume_token is of another watch"}},
      {stateless,
       {[](WatchRequest& r) {
          r.set_resume_token("x");
          r.mutable_starting_time();
        },
        "give a resume_token or a starting_time"}},
      {stateless,
       {[](WatchRequest& r) { r.mutable_starting_time()->set_nanos(-1); },
        "starting_time is not of"}},
      {stateful, {[](WatchRequest& r) { r.set_page_token("x"); }, "invalid cursor format"}},
      {stateful, {[](WatchRequest& r) { r.set_filter("("); }, "filter"}},
      {stateful, {[](WatchRequest& r) { r.mutable_field_mask()->add_paths("nose"); }, "nose"}},
  };
  for (auto [request, row] : rows) {
    row.set(request);
    const auto question = WatchQuestion::Parse(request, {}, tokens);
    CAPTURE(row.message, question.status().ToString());
    CHECK(question.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(question.status().message()), Catch::Matchers::Contains(row.message));
  }
}

}  // namespace
}  // namespace culvert::broker
