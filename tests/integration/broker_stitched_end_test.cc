// How stitched channels end that somebody ended: both ends are the test's.
#include "broker/parting_pairs.h"
#include "tests/integration/broker_stitched_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE_METHOD(OpenFixture, "The consumer is told why before its connection is reset",
                 "[stitched]") {
  attached->TakeWrites();
  SECTION("that the agent refuses") { Refuse(channel, culvert::v1::ERROR_CODE_UNKNOWN_SERVICE); }
  SECTION("that it was killed") { REQUIRE(broker.KillChannel(channel)); }
  CHECK(Last<AttachResponse>(*attached).notice().cut().channel_id() == channel);
  Turn();
  CHECK(broker.channels() == 0);
  CHECK(data_plane->pairs() == 1);
  Pass(agent.fd, user.fd, "not yet");
  attached->TakeWrites();
  CHECK(data_plane->pairs() == 0);
  CHECK(IsReset(user.fd));
  CHECK(IsReset(agent.fd));
}

TEST_CASE_METHOD(OpenFixture, "A consumer that does not read is reset all the same", "[stitched]") {
  attached->TakeWrites();
  const MonotonicTime start = loop.Now();
  REQUIRE(broker.KillChannel(channel));
  CHECK(IsReset(user.fd));
  CHECK(loop.Now() - start >= broker::PartingPairs::kMost);
  CHECK(data_plane->pairs() == 0);
  attached->TakeWrites();
}

TEST_CASE_METHOD(OpenFixture, "A consumer that cannot be told is reset at once", "[stitched]") {
  attached->delegate->OnEnd(absl::CancelledError("gone"));
  REQUIRE(broker.KillChannel(channel));
  CHECK(data_plane->pairs() == 0);
  CHECK(IsReset(user.fd));
}

TEST_CASE_METHOD(OpenFixture, "Ends that leave while they are told are nobody's concern",
                 "[stitched]") {
  attached->TakeWrites();
  REQUIRE(broker.KillChannel(channel));
  Turn();  // the channel is no more
  user.fd.Reset();
  CHECK(IsReset(agent.fd));
  CHECK(Run([&] { return data_plane->pairs() == 0; }));
  attached->TakeWrites();
  CHECK(broker.channels() == 0);
}

TEST_CASE_METHOD(OpenFixture, "A broker may go while a consumer is told", "[stitched]") {
  attached->TakeWrites();
  REQUIRE(broker.KillChannel(channel));
  CHECK(data_plane->pairs() == 1);
}

}  // namespace
}  // namespace culvert::test
