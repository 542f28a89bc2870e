// What may be had of stitched paths, and of leases for them: both ends are the test's.
#include <list>

#include "tests/integration/broker_stitched_fixture.h"

namespace culvert::test {
namespace {

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
                 "Broker lends a consumer no more than sixteen tokens, however often it asks",
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

struct LimitedFixture : StitchedFixture {
  std::list<Parked> parked;  // in use

  explicit LimitedFixture(const Broker::Limits& limits = {}) : StitchedFixture(limits) { Begin(); }

  bool OpenStitched() {
    parked.push_back(ParkProvider());
    parked.push_back(ParkConsumer(*attached));
    return OpenOver(*attached, parked.back().id).has_opened();
  }
  bool OpenOnStreams() {
    Transport& user = others.emplace_back();
    Add(Method::kConnect, user);
    if (user.finished) return false;
    REQUIRE(user.Flood(Client::OpenRequest("edge-1", kCapable).SerializeAsString(), 1) == 1);
    const uint64_t channel = Offered(listen);
    Transport& agent = others.emplace_back();
    Add(Method::kAccept, agent);
    if (agent.finished) return false;
    const auto accept = Client::AcceptRequest("edge-1", session, channel, kCapable);
    REQUIRE(agent.Flood(accept.SerializeAsString(), 1) == 1);
    return Last<V1::ConnectResponse>(user).has_open_response();
  }
  uint64_t counted() const { return broker.counted_streams("127.0.0.1"); }
};

TEST_CASE_METHOD(LimitedFixture, "A stitched path counts as the two streams that it stands for",
                 "[stitched]") {
  const uint64_t before = counted();
  REQUIRE(OpenStitched());
  CHECK(counted() == before + 2);
  parked.clear();
  CHECK(Run([&] { return counted() == before; }));
}

TEST_CASE("As many channels may be had on stitched paths as on streams, or on both", "[stitched]") {
  // A Listen, an Attach, and the two halves of two channels.
  LimitedFixture test(Broker::Limits{.streams_per_address = 6});
  SECTION("on streams") {
    CHECK(test.OpenOnStreams());
    CHECK(test.OpenOnStreams());
  }
  SECTION("on stitched paths") {
    CHECK(test.OpenStitched());
    CHECK(test.OpenStitched());
  }
  SECTION("on both") {
    CHECK(test.OpenOnStreams());
    CHECK(test.OpenStitched());
  }
  CHECK(test.counted() == 6);
  CHECK_FALSE(test.OpenOnStreams());
  CHECK_FALSE(test.OpenStitched());
  CHECK(test.broker.channels() == 2);
}

TEST_CASE("An agent whose address has its limit of streams gets no stitched path either",
          "[stitched]") {
  LimitedFixture test(Broker::Limits{.streams_per_address = 3});
  const auto agent = test.ParkProvider();
  const auto user = test.ParkConsumer(*test.attached);
  CHECK(test.RefusalOf(*test.attached, user.id) == culvert::v1::ERROR_CODE_NO_PATH);
  CHECK(test.data_plane->pairs() == 0);
  test.Turns();
  CHECK(test.counted() == 2);
}

}  // namespace
}  // namespace culvert::test
