// A broker with quotas, where both ends are the test's.
#pragma once

#include <map>
#include <string>

#include "broker/quotas.h"
#include "culvert/error_code.h"
#include "tests/integration/broker_stitched_fixture.h"

namespace culvert::test {

struct Quotas {
  std::map<std::string, store::Quota> of;

  broker::BrokerAccess Access() {
    broker::BrokerAccess access;
    access.quotas = [this](const std::string& project) {
      const auto found = of.find(project);
      return found == of.end() ? store::Quota() : found->second;
    };
    return access;
  }
};

// The quotas come before the broker, which asks them.
struct QuotaFixture : Quotas, StitchedFixture {
  explicit QuotaFixture(const Broker::Times& times = {.start_wait = Duration::zero()})
      : StitchedFixture({}, times, Access()) {}

  void Set(const store::Quota& quota, const std::string& project = "default") {
    of[project] = quota;
    broker.ReloadQuotas();
  }
  uint64_t channels(const std::string& project = "default") {
    return broker.QuotaUseOf(project).channels;
  }
  uint64_t agents(const std::string& project = "default") {
    return broker.QuotaUseOf(project).agents;
  }

  // One stream more, which outlives the broker.
  Transport& More() { return others.emplace_back(); }

  // What a consumer hears that is refused: the code and the time, then the status.
  V1::ConnectResponse::ChannelOpenError RefusalOf(const Transport& transport) {
    REQUIRE(transport.finished);
    CHECK(absl::IsResourceExhausted(*transport.finished));
    const auto response = Last<V1::ConnectResponse>(transport);
    REQUIRE(response.has_channel_open_error());
    CHECK(response.channel_open_error().code() == culvert::v1::ERROR_CODE_LIMIT);
    return response.channel_open_error();
  }
  bool IsOpening(const Transport& transport) {
    return !transport.finished && transport.writing.empty();
  }

  // A consumer's channel, offered to and accepted by the provider of `listen`; its two streams.
  struct Streams {
    Transport* consumer;
    Transport* provider;
    uint64_t id;
    std::string ticket;
  };
  Streams OpenStreams() { return OpenStreams(listen, session, kProject); }
  Streams OpenStreams(Transport& at, uint64_t session_id, const std::string& project) {
    auto request = Client::OpenRequest("edge-1", kCapable);
    request.mutable_open_request()->set_project(project);
    request.mutable_open_request()->set_resume_timeout_s(60);
    Transport& from = More();
    Add(Method::kConnect, from, request.SerializeAsString());
    REQUIRE(IsOpening(from));
    const uint64_t id = Offered(at);
    at.TakeWrites();
    auto accept = Client::AcceptRequest("edge-1", session_id, id, kCapable);
    accept.mutable_open_request()->set_project(project);
    accept.mutable_open_request()->set_resume_timeout_s(60);
    Transport& to = More();
    Add(Method::kAccept, to, accept.SerializeAsString());
    const auto opened = Last<V1::ConnectResponse>(from).open_response();
    from.TakeWrites();
    to.TakeWrites();
    return {&from, &to, id, opened.ticket()};
  }
  void Lose(const Streams& streams) {
    streams.consumer->delegate->OnEnd(absl::CancelledError("gone"));
    Turn();
  }
  Transport& Resume(const Streams& streams, uint32_t attempt) {
    V1::ConnectRequest request;
    auto& resume = *request.mutable_resume_request();
    resume.set_project(kProject);
    resume.set_name("a-consumer");
    resume.set_provider_name("edge-1");
    resume.set_session_id(session);
    resume.set_channel_id(streams.id);
    resume.set_caps(kCapable);
    resume.set_window(kWindow);
    resume.set_ticket(streams.ticket);
    resume.set_attempt(attempt);
    Transport& transport = More();
    Add(Method::kConnect, transport, request.SerializeAsString());
    return transport;
  }
};

}  // namespace culvert::test
