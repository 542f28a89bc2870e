// How channels are opened, seen by clients that speak the protocol by hand.
#include "tests/integration/broker_fixture.h"

namespace culvert::test {
namespace {

using culvert::v1::ErrorCode;
using grpc::StatusCode;

TEMPLATE_TEST_CASE("Broker says NOT_FOUND when the provider is unknown", "[broker]", V1, V1Alpha2) {
  TestBroker broker;
  RawClient<TestType> client(broker.address());

  SECTION("as the status alone to a legacy consumer") {
    auto call = client.Open("nobody", kLegacy);
    CHECK_FALSE(call.Read().has_value());
    CHECK(call.End().error_code() == StatusCode::NOT_FOUND);
  }
  SECTION("with its code first to a capable one") {
    auto call = client.Open("nobody", kCapable);
    const auto refused = call.Next();
    CHECK(refused.channel_open_error().code() == culvert::v1::ERROR_CODE_UNKNOWN_PROVIDER);
    CHECK(refused.channel_open_error().offline_ms() == 0);
    CHECK(call.End().error_code() == StatusCode::NOT_FOUND);
  }
}

TEST_CASE("Broker answers NotAvailableLocally to who asked for it", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  auto call = client.Connect();
  auto request = RawClient<V1>::OpenRequest("nobody", GENERATE(kLegacy, kCapable));
  SECTION("for an unknown provider") {
    request.mutable_open_request()->set_return_not_available(true);
  }
  SECTION("for a channel to resume") {
    request.mutable_resume_request()->set_project(kProject);
    request.mutable_resume_request()->set_provider_name("edge-1");
    request.mutable_resume_request()->set_return_not_available(true);
  }
  call.Send(request);
  CHECK(call.Next().has_not_available_locally());
  CHECK(call.End().ok());
}

TEST_CASE("Broker takes an offer back when the consumer goes away", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  std::optional<RawClient<V1>::ConnectCall> gone(client.Open("edge-1", kCapable));
  const uint64_t channel = provider.Offer().channel_id();
  gone->Cancel();
  const auto cut = provider.listen.Next();
  REQUIRE(cut.notice().has_cut());
  CHECK(cut.notice().cut().channel_id() == channel);
  CHECK(broker.WaitForChannels(0));
}

TEST_CASE("Broker takes no offer back that was answered, or that the provider cannot know",
          "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  const uint64_t caps = GENERATE(kLegacy, kCapable);
  RawProvider<V1> provider(client, "edge-1", caps);
  auto first = client.Open("edge-1", kCapable);
  const uint64_t channel = provider.Offer().channel_id();
  if (caps == kLegacy) {
    first.Cancel();
    REQUIRE(broker.WaitForChannels(0));
  } else {
    V1::ListenRequest refusal;
    refusal.mutable_channel_open_error()->set_channel_id(channel);
    provider.listen.Send(refusal);
    REQUIRE(first.Next().has_channel_open_error());
  }
  // What comes next is the next offer.
  auto second = client.Open("edge-1", kCapable);
  provider.Offer();
}

TEST_CASE("Broker says since when a known provider is away once 5 s are over", "[broker][slow]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1>(client, "edge-1", kCapable).listen.FinishWriting();
  REQUIRE(broker.WaitForSessions(0));

  auto call = client.Open("edge-1", kCapable);
  const auto refused = call.Next();
  CHECK(refused.channel_open_error().code() == culvert::v1::ERROR_CODE_OFFLINE);
  CHECK(refused.channel_open_error().offline_ms() >= 5000);
  CHECK(refused.channel_open_error().offline_ms() < 8000);
  const grpc::Status status = call.End();
  CHECK(status.error_code() == StatusCode::NOT_FOUND);
  CHECK(status.error_message().find("offline since 5.") != std::string::npos);
}

TEST_CASE("Broker lets an opening wait for a provider that just went away", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1>(client, "edge-1", kCapable).listen.FinishWriting();
  REQUIRE(broker.WaitForSessions(0));
  auto consumer = client.Open("edge-1", kCapable);
  REQUIRE(broker.WaitForChannels(1));

  RawProvider<V1> back(client, "edge-1", kCapable);
  auto accept = back.Accept(back.Offer().channel_id());
  CHECK(consumer.Next().has_open_response());
}

TEST_CASE("Broker offers a channel again when the provider leaves before it accepts", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  std::optional<RawProvider<V1>> first(std::in_place, client, "edge-1", kCapable);
  auto consumer = client.Open("edge-1", kCapable);
  const auto lost = first->Offer();

  SECTION("to the same provider when it is back") {
    first->listen.Cancel();
    REQUIRE(broker.WaitForSessions(0));
  }
  SECTION("to whoever takes it over") {}
  RawProvider<V1> second(client, "edge-1", kCapable);
  const auto offer = second.Offer();
  CHECK(offer.channel_id() != lost.channel_id());
  auto accept = second.Accept(offer.channel_id());
  CHECK(consumer.Next().open_response().session_id() == second.session());
}

TEST_CASE("Broker passes a provider's refusal on", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  const uint64_t caps = GENERATE(kLegacy, kCapable);
  auto consumer = client.Open("edge-1", caps);

  const uint64_t channel = provider.Offer().channel_id();
  ntt::proxies::v1::ListenRequest refusal;
  refusal.mutable_channel_open_error()->set_channel_id(channel);
  refusal.mutable_channel_open_error()->set_message("no such host");
  refusal.mutable_channel_open_error()->set_code(culvert::v1::ERROR_CODE_UNREACHABLE);
  provider.listen.Send(refusal);

  const auto refused = consumer.Next();
  CHECK(refused.channel_open_error().channel_id() == channel);
  CHECK(refused.channel_open_error().message() == "no such host");
  CHECK(refused.channel_open_error().code() == (caps == kLegacy
                                                    ? culvert::v1::ERROR_CODE_UNSPECIFIED
                                                    : culvert::v1::ERROR_CODE_UNREACHABLE));
  CHECK(HasAdditions(refused) == (caps != kLegacy));
  CHECK(consumer.End().ok());
}

TEST_CASE("Broker draws another channel id when the provider holds the first", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto consumer = client.Open("edge-1", kCapable);

  const uint64_t taken = provider.Offer().channel_id();
  ntt::proxies::v1::ListenRequest refusal;
  refusal.mutable_channel_open_error()->set_channel_id(taken);
  refusal.mutable_channel_open_error()->set_code(culvert::v1::ERROR_CODE_ALREADY_EXISTS);
  provider.listen.Send(refusal);

  const uint64_t other = provider.Offer().channel_id();
  CHECK(other != taken);
  auto accept = provider.Accept(other);
  CHECK(consumer.Next().open_response().channel_id() == other);
}

TEST_CASE("Broker gives up with DEADLINE_EXCEEDED when the provider does not accept in 10 s",
          "[broker][slow]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto legacy = client.Open("edge-1", kLegacy);
  auto capable = client.Open("edge-1", kCapable);
  const auto start = std::chrono::steady_clock::now();

  CHECK(capable.Next().channel_open_error().code() == culvert::v1::ERROR_CODE_TIMEOUT);
  CHECK(capable.End().error_code() == StatusCode::DEADLINE_EXCEEDED);
  CHECK_FALSE(legacy.Read().has_value());
  CHECK(legacy.End().error_code() == StatusCode::DEADLINE_EXCEEDED);
  CHECK(std::chrono::steady_clock::now() - start > std::chrono::seconds(9));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(13));
}

TEST_CASE("Broker forgets an opening when the consumer goes away", "[broker]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  RawProvider<V1> provider(client, "edge-1", kCapable);
  auto consumer = client.Open("edge-1", kCapable);
  const uint64_t channel = provider.Offer().channel_id();

  consumer.Cancel();
  REQUIRE(broker.WaitForChannels(0));
  CHECK(provider.Accept(channel).End().error_code() == StatusCode::NOT_FOUND);
}

TEST_CASE("Broker carries capabilities and windows to the other end", "[broker]") {
  TestBroker broker;
  RawChannel<V1, V1> channel(broker, kCapable, kCapable);
  CHECK(channel.provider.listening.listening().caps() == kCapable);
  CHECK(channel.offer.caps() == kCapable);
  CHECK(channel.offer.window() == kWindow);
  CHECK(channel.offer.attempt() == 1);
  CHECK(channel.offer.consumer().address().rfind("127.0.0.1:", 0) == 0);
  CHECK(channel.opened.open_response().caps() == kCapable);
  CHECK(channel.opened.open_response().window() == kWindow);
  CHECK(channel.opened.open_response().channel_id() == channel.offer.channel_id());
  CHECK(channel.opened.open_response().session_id() == channel.provider.session());
}

TEST_CASE("Broker never sends an addition to a legacy end", "[broker]") {
  TestBroker broker;
  SECTION("consumer") {
    RawChannel<V1, V1> channel(broker, kLegacy, kCapable);
    CHECK_FALSE(HasAdditions(channel.opened));
    CHECK(channel.offer.caps() == kLegacy);
  }
  SECTION("provider") {
    RawChannel<V1, V1> channel(broker, kCapable, kLegacy);
    CHECK_FALSE(HasAdditions(channel.provider.listening));
    CHECK_FALSE(HasAdditions(channel.offer));
    CHECK(channel.opened.open_response().caps() == kLegacy);
    channel.consumer.Send(DataMessage<V1::ConnectRequest>(1, "the first message of Accept"));
    CHECK(channel.accept.Next().has_data());
  }
}

}  // namespace
}  // namespace culvert::test
