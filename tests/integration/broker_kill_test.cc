// What a channel's two ends hear when an administrator ends it.
#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

struct KillFixture : FakeBrokerFixture {
  uint64_t channel = 0;

  void OpenCapable() {
    const uint64_t session = Register(listen);
    Open(consumer);
    channel = Offered(listen);
    Accept(provider, session, channel);
    for (Transport* transport : {&listen, &consumer, &provider}) transport->TakeWrites();
    Turn();
  }
};

TEST_CASE_METHOD(KillFixture, "Broker ends a killed channel at both ends, and tells the provider",
                 "[broker]") {
  OpenCapable();
  const auto killed = broker.KillChannel(channel);
  REQUIRE(killed);
  CHECK(killed->id == channel);
  CHECK(killed->agent == "edge-1");
  for (const Transport* half : {&consumer, &provider}) {
    REQUIRE(half->finished);
    CHECK(absl::IsPermissionDenied(*half->finished));
    CHECK(half->finished->message() == "killed by an administrator");
  }
  const auto cut = Last<V1::ListenResponse>(listen).notice().cut();
  CHECK(cut.channel_id() == channel);
  CHECK(cut.code() == culvert::v1::ERROR_CODE_KILLED);
  CHECK(broker.sessions() == 1);
  Turn();
  CHECK(broker.channels() == 0);
  CHECK_FALSE(broker.KillChannel(channel));
}

TEST_CASE_METHOD(KillFixture, "Broker kills an opening under way", "[broker]") {
  Register(listen);
  Open(consumer);
  CHECK(broker.KillChannel(Offered(listen)));
  REQUIRE(consumer.finished);
  CHECK(absl::IsPermissionDenied(*consumer.finished));
  CHECK(Last<V1::ListenResponse>(listen).notice().cut().code() == culvert::v1::ERROR_CODE_KILLED);
}

TEST_CASE_METHOD(KillFixture, "Broker kills nothing that it does not have", "[broker]") {
  OpenCapable();
  CHECK_FALSE(broker.KillChannel(channel ^ 1));
  CHECK_FALSE(consumer.finished);
  CHECK_FALSE(provider.finished);
}

TEST_CASE_METHOD(KillFixture, "Broker lists the open channels of a project", "[broker]") {
  CHECK(broker.ListChannels("default").empty());
  OpenCapable();
  Add(Method::kConnect, others.emplace_back(),
      Client::OpenRequest("edge-1", kCapable).SerializeAsString());  // not accepted yet
  const auto channels = broker.ListChannels("default");
  REQUIRE(channels.size() == 1);
  CHECK(channels[0].id == channel);
  CHECK(channels[0].consumer == "a-consumer");
  CHECK(channels[0].service == "echo");
  CHECK(broker.ListChannels("lab").empty());
}

}  // namespace
}  // namespace culvert::test
