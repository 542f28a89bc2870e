// What a broker does where a project has its quota of agents or channels.
#include <chrono>

#include "tests/integration/broker_quota_fixture.h"

namespace culvert::test {
namespace {

using namespace std::chrono_literals;

TEST_CASE_METHOD(QuotaFixture, "Broker refuses an agent beyond the quota, and says for how long",
                 "[quota]") {
  Set({.agents = 1});
  Register();
  CHECK(agents() == 1);
  Transport& second = More();
  Add(Method::kListen, second, Client::ListenRequest("edge-2", kCapable).SerializeAsString());
  REQUIRE(second.finished);
  CHECK(absl::IsResourceExhausted(*second.finished));
  CHECK(second.finished->message().find("project default has its quota of 1 agents") == 0);
  const uint32_t wait = Last<Listened>(second).notice().retry_after().ms();
  CHECK(wait >= 10'000);
  CHECK(wait <= 20'001);

  Transport& legacy = More();
  Add(Method::kListen, legacy, Client::ListenRequest("edge-2", kLegacy).SerializeAsString());
  REQUIRE(legacy.finished);
  CHECK(absl::IsResourceExhausted(*legacy.finished));
  CHECK(legacy.writing.empty());  // nothing that it would not understand

  Set({.agents = 2});
  Transport& third = More();
  Add(Method::kListen, third, Client::ListenRequest("edge-2", kCapable).SerializeAsString());
  CHECK(Last<Listened>(third).has_listening());
  CHECK(agents() == 2);
}

TEST_CASE_METHOD(QuotaFixture, "Quota of agents lets those in that were in", "[quota]") {
  auto request = Client::ListenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_incarnation(7);
  Add(Method::kListen, listen, request.SerializeAsString());
  const auto listening = Last<Listened>(listen).listening();
  Set({.agents = 0});

  SECTION("another process of the same agent takes the place over") {
    request.mutable_open_request()->set_incarnation(8);
    Add(Method::kListen, provider, request.SerializeAsString());
    CHECK(Last<Listened>(provider).has_listening());
    CHECK(agents() == 1);
  }
  SECTION("a session that lost its stream goes on") {
    listen.delegate->OnEnd(absl::CancelledError("gone"));
    Turn();
    CHECK(agents() == 0);
    V1::ListenRequest again;
    auto& resume = *again.mutable_resume_request();
    resume.set_project(kProject);
    resume.set_name("edge-1");
    resume.set_session_id(listening.session_id());
    resume.set_caps(kCapable);
    resume.set_incarnation(7);
    resume.set_session_ticket(listening.session_ticket());
    Add(Method::kListen, provider, again.SerializeAsString());
    CHECK(Last<Listened>(provider).listening().session_id() == listening.session_id());
    CHECK(agents() == 1);
  }
  SECTION("one that left does not come back as a new one") {
    listen.delegate->OnEnd(absl::CancelledError("gone"));
    Turn();
    Add(Method::kListen, provider, request.SerializeAsString());
    CHECK(provider.finished);
  }
}

TEST_CASE_METHOD(QuotaFixture, "Broker refuses a channel beyond the quota, and says for how long",
                 "[quota]") {
  Register();
  Set({.channels = 2});
  const Streams open = OpenStreams();
  Open(consumer);  // is not accepted yet, and counts
  CHECK(channels() == 2);
  Transport& third = More();
  Open(third);
  const auto refusal = RefusalOf(third);
  CHECK(refusal.message().find("project default has its quota of 2 channels") == 0);
  CHECK(refusal.retry_after_ms() >= 1'000);
  CHECK(refusal.retry_after_ms() <= 2'001);

  Transport& legacy = More();
  Open(legacy, kLegacy);
  REQUIRE(legacy.finished);
  CHECK(absl::IsResourceExhausted(*legacy.finished));
  CHECK(legacy.writing.empty());

  consumer.delegate->OnEnd(absl::CancelledError("gone"));
  Turn();
  CHECK(channels() == 1);
  Transport& fourth = More();
  Open(fourth);
  CHECK(IsOpening(fourth));
}

TEST_CASE_METHOD(QuotaFixture, "Quota that is lowered cuts nothing, and counts at once",
                 "[quota]") {
  Register();
  const Streams one = OpenStreams();
  const Streams two = OpenStreams();
  Set({.agents = 0, .channels = 1});
  Turn();
  CHECK_FALSE(listen.finished);
  CHECK_FALSE(one.consumer->finished);
  CHECK_FALSE(two.provider->finished);
  Open(consumer);
  RefusalOf(consumer);
  Set({});
  Transport& later = More();
  Open(later);
  CHECK(IsOpening(later));
}

TEST_CASE_METHOD(QuotaFixture, "Resumes go above the quota, and new channels wait for them",
                 "[quota]") {
  Register();
  Set({.channels = 2, .new_channels_per_second = 2});
  const Streams one = OpenStreams();
  const Streams two = OpenStreams();
  Lose(one);
  CHECK(channels() == 2);  // without a path it counts
  Set({.channels = 1, .new_channels_per_second = 0});
  Transport& resumed = Resume(one, 2);
  CHECK_FALSE(resumed.finished);
  CHECK(Last<Listened>(listen).has_resume_channel_response());
  CHECK(channels() == 2);

  Set({.channels = 1});
  Transport& early = More();
  Open(early);
  RefusalOf(early);
  two.consumer->delegate->OnEnd(absl::CancelledError("gone"));
  Turn();
  CHECK(broker.KillChannel(two.id) == std::nullopt);
  CHECK(channels() == 1);
  Transport& later = More();
  Open(later);
  RefusalOf(later);  // the one that resumes has all there is
  Set({.channels = 2});
  Transport& last = More();
  Open(last);
  CHECK(IsOpening(last));
}

TEST_CASE_METHOD(QuotaFixture, "Channel that an end aborted counts no longer", "[quota]") {
  Register();
  const Streams one = OpenStreams();
  V1::ConnectRequest request;
  request.mutable_error()->set_id(1);
  request.mutable_error()->set_message("enough");
  request.mutable_error()->set_code(culvert::v1::ERROR_CODE_RESET);
  REQUIRE(one.consumer->Flood(request.SerializeAsString(), 1) == 1);
  Lose(one);
  CHECK(channels() == 0);
}

TEST_CASE_METHOD(QuotaFixture, "Resume that comes to nothing for now still counts", "[quota]") {
  Register();
  const Streams one = OpenStreams();
  Lose(one);
  Transport& resumed = Resume(one, 2);
  CHECK(channels() == 1);
  resumed.delegate->OnEnd(absl::CancelledError("gone"));
  Turn();
  CHECK(channels() == 1);
  SECTION("until it ends for good") {
    Resume(one, 3);
    CHECK(channels() == 1);
    Refuse(one.id, culvert::v1::ERROR_CODE_UNKNOWN_CHANNEL);
    Turn();
    CHECK(channels() == 0);
  }
}

TEST_CASE_METHOD(QuotaFixture, "Quota of new channels lets one in when it said so", "[quota]") {
  Register();
  Set({.new_channels_per_second = 5});
  for (int i = 0; i < 5; ++i) {
    Transport& opening = More();
    Open(opening);
    CHECK(IsOpening(opening));
  }
  Open(consumer);
  const auto refusal = RefusalOf(consumer);
  CHECK(refusal.message().find("its quota of 5 new channels per second") != std::string::npos);
  CHECK(refusal.retry_after_ms() > 0);
  CHECK(refusal.retry_after_ms() <= 401);
  const auto wait = std::chrono::milliseconds(refusal.retry_after_ms());
  loop.RunUntil([] { return false; }, wait);
  Transport& later = More();
  Open(later);
  CHECK(IsOpening(later));
}

TEST_CASE_METHOD(QuotaFixture, "Quotas count on stitched paths as on streams", "[quota]") {
  Begin();
  Set({.channels = 1, .new_channels_per_second = 10});
  const Parked user = ParkConsumer(*attached);
  const Parked agent = ParkProvider();
  listen.TakeWrites();
  REQUIRE(OpenOver(*attached, user.id).has_opened());
  CHECK(channels() == 1);

  const Parked second = ParkConsumer(*attached);
  const AttachResponse refused = OpenOver(*attached, second.id);
  REQUIRE(refused.has_open_error());
  CHECK(refused.open_error().error().code() == culvert::v1::ERROR_CODE_LIMIT);
  CHECK(refused.open_error().error().retry_after_ms() >= 1'000);
  CHECK(data_plane->pairs() == 1);
  Open(consumer);
  culvert::test::QuotaFixture::RefusalOf(consumer);
}

TEST_CASE_METHOD(QuotaFixture, "Opening that finds no stitched path takes nothing of the quota",
                 "[quota]") {
  Begin();
  Set({.new_channels_per_second = 1});
  const Parked user = ParkConsumer(*attached);
  const AttachResponse refused = OpenOver(*attached, user.id);  // the agent has none
  REQUIRE(refused.has_open_error());
  CHECK(refused.open_error().error().code() == culvert::v1::ERROR_CODE_NO_PATH);
  listen.TakeWrites();
  Open(consumer);  // as consumers do then
  CHECK(IsOpening(consumer));
}

TEST_CASE_METHOD(QuotaFixture, "Quota of one project is nothing to another", "[quota]") {
  Set({.agents = 0, .channels = 0}, "lab");
  Register();
  Open(consumer);
  CHECK(IsOpening(consumer));
  auto request = Client::ListenRequest("edge-1", kCapable);
  request.mutable_open_request()->set_project("projects/lab");
  Add(Method::kListen, provider, request.SerializeAsString());
  CHECK(provider.finished);
}

}  // namespace
}  // namespace culvert::test
