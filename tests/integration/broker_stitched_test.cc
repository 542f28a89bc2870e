// Openings and resumes over Attach, at a broker with a data port: both ends are the test's.
#include "tests/integration/broker_stitched_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE_METHOD(OpenFixture, "Broker joins the two ends' connections, and tells both which",
                 "[stitched]") {
  CHECK(opened.opened().parked_id() == user.id);
  const auto& response = opened.opened().response();
  CHECK(response.stitched());
  CHECK(response.session_id() == session);
  CHECK(response.attempt() == 1);
  CHECK(response.resume_timeout_s() == 60);
  CHECK_FALSE(response.ticket().empty());
  const auto offer = Last<Listened>(listen).open_channel_response();
  CHECK(offer.channel_id() == channel);
  CHECK(offer.parked_id() == agent.id);
  CHECK(offer.attempt() == 1);
  CHECK(data_plane->pairs() == 1);
  Pass(user.fd, agent.fd, "question");
  Pass(agent.fd, user.fd, "an answer");
  const auto channels = broker.ListChannels("default");
  REQUIRE(channels.size() == 1);
  CHECK(channels[0].id == channel);
  CHECK(channels[0].bytes_up == 8);
  CHECK(channels[0].bytes_down == 9);
}

TEST_CASE_METHOD(OpenFixture, "Broker ends the channel when both ends have", "[stitched]") {
  user.fd.Close();
  CHECK(Run([&] { return ReadNow(agent.fd.get()).eof; }));
  CHECK(broker.channels() == 1);
  agent.fd.Close();
  CHECK(Run([&] { return broker.channels() == 0; }));
  CHECK(data_plane->pairs() == 0);
}

TEST_CASE_METHOD(OpenFixture, "Broker passes a reset on, and the channel has lost its path",
                 "[stitched]") {
  Fd& left = GENERATE(true, false) ? user.fd : agent.fd;
  Fd& other = &left == &user.fd ? agent.fd : user.fd;
  left.Reset();
  CHECK(IsReset(other));
  CHECK(Run([&] { return broker.channels() == 0; }));
}

TEST_CASE_METHOD(StitchedFixture,
                 "Broker has no path for who has nothing parked, and says so at once",
                 "[stitched]") {
  Begin();
  using culvert::v1::ERROR_CODE_NO_PATH;
  SECTION("the consumer has none") {
    const Parked agent = ParkProvider();
    CHECK(RefusalOf(*attached, 4711) == ERROR_CODE_NO_PATH);
    CHECK(RefusalOf(*attached, 0) == ERROR_CODE_NO_PATH);
    CHECK(RefusalOf(*attached, agent.id) == ERROR_CODE_NO_PATH);
    // The agent's is still there for who has.
    const Parked user = ParkConsumer(*attached);
    CHECK(OpenOver(*attached, user.id).has_opened());
  }
  SECTION("the agent has none") {
    const Parked user = ParkConsumer(*attached);
    CHECK(RefusalOf(*attached, user.id) == ERROR_CODE_NO_PATH);
  }
  SECTION("it is another process's") {
    const Parked agent = ParkProvider();
    Transport& other = Attach("a-consumer", 8);
    Transport& stranger = Attach("another", 7);
    const Parked user = ParkConsumer(*attached);
    CHECK(RefusalOf(other, user.id) == ERROR_CODE_NO_PATH);
    CHECK(RefusalOf(stranger, user.id) == ERROR_CODE_NO_PATH);
    CHECK(OpenOver(*attached, user.id).has_opened());
  }
  SECTION("the consumer does not know them") {
    const Parked agent = ParkProvider();
    const Parked user = ParkConsumer(*attached);
    CHECK(RefusalOf(*attached, user.id, kCapable) == ERROR_CODE_NO_PATH);
  }
  SECTION("the agent is gone") {
    const Parked agent = ParkProvider();
    const Parked user = ParkConsumer(*attached);
    listen.delegate->OnEnd(absl::CancelledError("gone"));
    CHECK(RefusalOf(*attached, user.id) == ERROR_CODE_NO_PATH);
    CHECK(HasEnded(agent.fd));
  }
  SECTION("the consumer's has ended meanwhile") {
    const Parked agent = ParkProvider();
    Parked user = ParkConsumer(*attached);
    user.fd.Reset();
    Turns();
    CHECK(RefusalOf(*attached, user.id) == ERROR_CODE_NO_PATH);
  }
  Turns();
}

TEST_CASE_METHOD(StitchedFixture, "Broker has no stitched path to an agent without the capability",
                 "[stitched]") {
  Register(kCapable);
  attached = &Attach("a-consumer");
  const Parked agent = ParkProvider();
  const Parked user = ParkConsumer(*attached);
  CHECK(RefusalOf(*attached, user.id) == culvert::v1::ERROR_CODE_NO_PATH);
  CHECK(data_plane->pairs() == 0);
}

TEST_CASE_METHOD(OpenFixture, "Broker uses a parked connection once", "[stitched]") {
  const Parked another = ParkProvider();
  CHECK(RefusalOf(*attached, user.id) == culvert::v1::ERROR_CODE_NO_PATH);
  CHECK(data_plane->pairs() == 1);
}

TEST_CASE_METHOD(OpenFixture, "Broker passes the agent's refusal on and resets both ends",
                 "[stitched]") {
  attached->TakeWrites();
  Refuse(channel, culvert::v1::ERROR_CODE_UNKNOWN_SERVICE);
  CHECK(IsReset(user.fd));
  CHECK(IsReset(agent.fd));
  const auto cut = Last<AttachResponse>(*attached).notice().cut();
  CHECK(cut.channel_id() == channel);
  CHECK(cut.code() == culvert::v1::ERROR_CODE_UNKNOWN_SERVICE);
  CHECK(cut.message() == "the agent's words");
  CHECK(Run([&] { return broker.channels() == 0; }));
}

TEST_CASE_METHOD(OpenFixture, "Broker takes the path away that the agent has not", "[stitched]") {
  attached->TakeWrites();
  V1::ListenRequest request;
  request.mutable_stitch_failed()->set_channel_id(channel);
  request.mutable_stitch_failed()->set_parked_id(agent.id);
  Say(listen, request);
  CHECK(IsReset(user.fd));
  CHECK(IsReset(agent.fd));
  CHECK(attached->writing.empty());  // it is to come again, over streams
  CHECK(Run([&] { return broker.channels() == 0; }));
  // Of what is over, or another's, it says nothing.
  Say(listen, request);
  request.mutable_stitch_failed()->set_channel_id(4711);
  Say(listen, request);
  CHECK(broker.sessions() == 1);
}

TEST_CASE_METHOD(OpenFixture, "Broker cuts a pair that is killed, and tells both ends",
                 "[stitched]") {
  attached->TakeWrites();
  listen.TakeWrites();
  REQUIRE(broker.KillChannel(channel));
  CHECK(IsReset(user.fd));
  CHECK(IsReset(agent.fd));
  CHECK(Last<AttachResponse>(*attached).notice().cut().channel_id() == channel);
  CHECK(Last<AttachResponse>(*attached).notice().cut().code() == culvert::v1::ERROR_CODE_KILLED);
  CHECK(Last<Listened>(listen).notice().cut().channel_id() == channel);
  CHECK(Last<Listened>(listen).notice().cut().code() == culvert::v1::ERROR_CODE_KILLED);
}

TEST_CASE_METHOD(OpenFixture, "Broker keeps a pair whose consumer's Attach stream is lost",
                 "[stitched]") {
  const Parked spare = ParkConsumer(*attached);
  attached->delegate->OnEnd(absl::CancelledError("gone"));
  Turns();
  CHECK(HasEnded(spare.fd));
  Pass(user.fd, agent.fd, "still here");
  Pass(agent.fd, user.fd, "so am I");
  CHECK(broker.channels() == 1);
}

TEST_CASE_METHOD(OpenFixture, "Broker keeps a pair whose agent's Listen stream is lost",
                 "[stitched]") {
  listen.delegate->OnEnd(absl::CancelledError("gone"));
  Turns();
  Pass(user.fd, agent.fd, "still here");
  CHECK(broker.channels() == 1);
}

TEST_CASE_METHOD(OpenFixture, "Broker moves a channel to another pair and resets the old one",
                 "[stitched]") {
  const Parked user_again = ParkConsumer(*attached);
  const Parked agent_again = ParkProvider();
  listen.TakeWrites();
  const AttachResponse resumed = ResumeOver(opened, user_again.id, 2);
  REQUIRE(resumed.has_resumed());
  CHECK(resumed.resumed().parked_id() == user_again.id);
  CHECK(resumed.resumed().response().attempt() == 2);
  CHECK(resumed.resumed().response().stitched());
  const auto offer = Last<Listened>(listen).resume_channel_response();
  CHECK(offer.channel_id() == channel);
  CHECK(offer.parked_id() == agent_again.id);
  CHECK(offer.attempt() == 2);
  CHECK(IsReset(user.fd));
  CHECK(IsReset(agent.fd));
  Pass(user_again.fd, agent_again.fd, "hello again");
  CHECK(Run([&] { return broker.channels() == 1; }));
}

TEST_CASE_METHOD(OpenFixture, "Broker leaves a path alone whose channel can have no other",
                 "[stitched]") {
  const Parked user_again = ParkConsumer(*attached);
  const AttachResponse resumed = ResumeOver(opened, user_again.id, 2);
  REQUIRE(resumed.has_open_error());
  CHECK(resumed.open_error().error().code() == culvert::v1::ERROR_CODE_NO_PATH);
  Pass(user.fd, agent.fd, "still here");
  CHECK(broker.channels() == 1);
}

TEST_CASE_METHOD(OpenFixture, "Broker takes a path away for the agent that refuses the resume",
                 "[stitched]") {
  const Parked user_again = ParkConsumer(*attached);
  const Parked agent_again = ParkProvider();
  REQUIRE(ResumeOver(opened, user_again.id, 2).has_resumed());
  attached->TakeWrites();
  Refuse(channel, culvert::v1::ERROR_CODE_OUT_OF_RANGE);
  CHECK(IsReset(user_again.fd));
  CHECK(attached->writing.empty());  // the answer that counts is that over streams
}

TEST_CASE_METHOD(OpenFixture, "Broker refuses the resume of a killed channel over Attach",
                 "[stitched]") {
  broker.KillChannel(channel);
  const Parked user_again = ParkConsumer(*attached);
  const Parked agent_again = ParkProvider();
  AttachResponse forged = opened;
  forged.mutable_opened()->mutable_response()->set_ticket("no ticket");
  const AttachResponse answer = ResumeOver(forged, user_again.id, 2);
  REQUIRE(answer.has_open_error());
  CHECK(data_plane->pairs() == 0);
}

TEST_CASE_METHOD(OpenFixture, "Broker that drains keeps its pairs until it ends", "[stitched]") {
  broker.Drain([] {}, std::chrono::seconds(30));
  Turns();
  Pass(user.fd, agent.fd, "still here");
  const Parked late = [this] {
    AttachRequest request;
    *request.mutable_open() = Client::OpenRequest("edge-1", kStitching).open_request();
    request.mutable_open()->set_parked_id(1);
    Say(*attached, request);
    return Parked();
  }();
  CHECK(Run([&] {
    return !attached->writing.empty() && Last<AttachResponse>(*attached).has_open_error();
  }));
  broker.EndAll();
  CHECK(IsReset(user.fd));
  CHECK(IsReset(agent.fd));
}

TEST_CASE("Broker counts openings over Attach as it does streams", "[stitched]") {
  Broker::Limits limits;
  SECTION("those that it holds at all") { limits.streams_per_address = 2; }
  SECTION("those that are under way") { limits.pending_per_address = 0; }
  StitchedFixture test(limits);
  test.Begin();
  const auto agent = test.ParkProvider();
  const auto user = test.ParkConsumer(*test.attached);
  CHECK(test.RefusalOf(*test.attached, user.id) == culvert::v1::ERROR_CODE_BUSY);
  CHECK(test.data_plane->pairs() == 0);
}

TEST_CASE_METHOD(StitchedFixture, "Broker gives back what an opening over Attach counted",
                 "[stitched]") {
  Begin();
  const uint64_t before = broker.counted_streams("127.0.0.1");
  for (int i = 0; i < 200; ++i) RefusalOf(*attached, 1);
  Turns();
  CHECK(broker.counted_streams("127.0.0.1") == before);
  CHECK(broker.silent_streams() == 0);
  CHECK(broker.channels() == 0);
}

TEST_CASE_METHOD(StitchedFixture,
                 "Broker lends a consumer so many tokens and no more, however often it asks",
                 "[stitched]") {
  Begin();
  AttachRequest request;
  request.mutable_lease_data()->set_count(1'000'000);
  int lent = 0;
  for (int i = 0; i < 100; ++i) {
    Say(*attached, request);
    lent += Last<AttachResponse>(*attached).lease_data().leases_size();
  }
  CHECK(lent == 128);
  V1::ListenRequest other;
  other.mutable_lease_data()->set_count(1'000'000);
  Say(listen, other);
  CHECK(Last<Listened>(listen).lease_data().leases_size() == 128);
}

}  // namespace
}  // namespace culvert::test
