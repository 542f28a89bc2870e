// Ends that resume, played by hand.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "tests/integration/broker_fixture.h"

namespace culvert::test {

using culvert::v1::ErrorCode;
using grpc::StatusCode;

inline constexpr uint32_t kResumeSeconds = 300;
inline constexpr uint64_t kIncarnation = 7;

// A provider that resumes its session and its channels. The client outlives it.
struct ResumingProvider {
  using Client = RawClient<V1>;

  Client& client;
  uint64_t caps = kCapable;
  Client::ListenCall listen = client.Listen();
  V1::ListenResponse::Listening listening = {};

  // Registers.
  explicit ResumingProvider(Client& on, uint64_t capabilities = kCapable,
                            uint64_t incarnation = kIncarnation)
      : client(on), caps(capabilities) {
    auto request = Client::ListenRequest("edge-1", caps);
    if (caps != kLegacy) request.mutable_open_request()->set_incarnation(incarnation);
    Begin(request);
  }
  // Goes on with a session.
  ResumingProvider(Client& on, const V1::ListenResponse::Listening& earlier,
                   uint64_t capabilities = kCapable, uint64_t incarnation = kIncarnation)
      : client(on), caps(capabilities) {
    V1::ListenRequest request;
    auto& resume = *request.mutable_resume_request();
    resume.set_project(kProject);
    resume.set_name("edge-1");
    resume.set_session_id(earlier.session_id());
    if (caps != kLegacy) {
      resume.set_caps(caps);
      resume.set_incarnation(incarnation);
      resume.set_session_ticket(earlier.session_ticket());
    }
    Begin(request);
  }

  void Begin(const V1::ListenRequest& request) {
    listen.Send(request);
    const V1::ListenResponse response = listen.Next();
    REQUIRE(response.has_listening());
    listening = response.listening();
  }
  uint64_t session() const { return listening.session_id(); }

  auto Offer() {
    V1::ListenResponse response = listen.Next();
    REQUIRE(response.has_open_channel_response());
    return response.open_channel_response();
  }
  auto ResumeOffer() {
    V1::ListenResponse response = listen.Next();
    REQUIRE(response.has_resume_channel_response());
    return response.resume_channel_response();
  }
  auto Cut() {
    V1::ListenResponse response = listen.Next();
    REQUIRE(response.notice().has_cut());
    return response.notice().cut();
  }
  // Whether nothing that was written before is left to read.
  bool HeardNothing() {
    listen.Send(PingMessage<V1::ListenRequest>());
    return listen.Next().has_pong();
  }
  void Refuse(uint64_t channel, ErrorCode code, uint64_t last_message_id = 0) {
    V1::ListenRequest request;
    auto& error = *request.mutable_channel_open_error();
    error.set_channel_id(channel);
    error.set_code(code);
    error.set_last_message_id(last_message_id);
    listen.Send(request);
  }

  Client::AcceptCall Accept(uint64_t channel, uint32_t seconds = kResumeSeconds) {
    auto request = Client::AcceptRequest("edge-1", session(), channel, caps);
    if (caps != kLegacy) request.mutable_open_request()->set_resume_timeout_s(seconds);
    auto call = client.Accept();
    call.Send(request);
    return call;
  }
  Client::AcceptCall AcceptResume(uint64_t channel, uint32_t attempt, uint64_t last = 0) {
    V1::AcceptRequest request;
    auto& resume = *request.mutable_resume_request();
    resume.set_project(kProject);
    resume.set_name("edge-1");
    resume.set_session_id(session());
    resume.set_channel_id(channel);
    resume.set_last_message_id(last);
    if (caps != kLegacy) {
      resume.set_caps(caps);
      resume.set_window(kWindow);
      resume.set_attempt(attempt);
    }
    auto call = client.Accept();
    call.Send(request);
    return call;
  }
};

inline V1::ConnectRequest OpenToResume(uint64_t caps = kCapable,
                                       uint32_t seconds = kResumeSeconds) {
  auto request = RawClient<V1>::OpenRequest("edge-1", caps);
  if (caps != kLegacy) request.mutable_open_request()->set_resume_timeout_s(seconds);
  return request;
}

// What a consumer knows of its channel.
struct Held {
  uint64_t session = 0;
  uint64_t channel = 0;
  std::string ticket = {};
  std::string consumer = "a-consumer";

  template <typename Response>
  static Held Of(const Response& response) {
    Held held;
    held.session = response.session_id();
    held.channel = response.channel_id();
    if constexpr (requires { response.ticket(); }) held.ticket = response.ticket();
    return held;
  }
  V1::ConnectRequest Request(uint32_t attempt, uint64_t last = 0, uint64_t caps = kCapable) const {
    V1::ConnectRequest request;
    auto& resume = *request.mutable_resume_request();
    resume.set_project(kProject);
    resume.set_name(consumer);
    resume.set_provider_name("edge-1");
    resume.set_session_id(session);
    resume.set_channel_id(channel);
    resume.set_last_message_id(last);
    if (caps != kLegacy) {
      resume.set_caps(caps);
      resume.set_window(kWindow);
      resume.set_ticket(ticket);
      resume.set_attempt(attempt);
    }
    return request;
  }
};

// Reads what a consumer hears when its resume is refused, and how the stream ends.
struct Refused {
  V1::ConnectResponse::ChannelOpenError error = {};
  grpc::Status status;

  explicit Refused(RawClient<V1>::ConnectCall& call) {
    if (const auto response = call.Read()) {
      REQUIRE(response->has_channel_open_error());
      error = response->channel_open_error();
    }
    status = call.End();
  }
};

// A channel that was open at `broker`, and lost its path.
struct ResumeFixture {
  using Client = RawClient<V1>;

  explicit ResumeFixture(const broker::Broker::Times& times = {.start_wait = Duration::zero()},
                         const broker::Broker::Limits& limits = {})
      : broker(std::in_place, limits, uint16_t{0}, times),
        consumers(broker->address()),
        providers(broker->address()) {}

  std::optional<TestBroker> broker;
  Client consumers;
  Client providers;
  std::optional<ResumingProvider> provider;
  std::optional<Client::ConnectCall> consumer;
  std::optional<Client::AcceptCall> accepted;
  Held held;

  void Open(uint64_t consumer_caps = kCapable, uint64_t provider_caps = kCapable) {
    if (!provider) provider.emplace(providers, provider_caps);
    consumer.emplace(consumers.Connect());
    consumer->Send(OpenToResume(consumer_caps));
    accepted.emplace(provider->Accept(provider->Offer().channel_id()));
    const auto opened = consumer->Next();
    REQUIRE(opened.has_open_response());
    held = Held::Of(opened.open_response());
    if (provider_caps != kLegacy) REQUIRE(accepted->Next().has_accepted());
  }
  void Lose() {
    consumer->Cancel();
    REQUIRE(accepted->End().error_code() == StatusCode::UNAVAILABLE);
    REQUIRE(broker->WaitForChannels(0));
  }
  void OpenAndLose() {
    Open();
    Lose();
  }
  Client::ConnectCall Resume(uint32_t attempt, uint64_t last = 0, uint64_t caps = kCapable) {
    auto call = consumers.Connect();
    call.Send(held.Request(attempt, last, caps));
    return call;
  }
  // Both ends at a broker that was started again.
  void Restart() {
    const uint16_t port = broker->port();
    broker.reset();
    broker.emplace(broker::Broker::Limits{}, port);
  }
};

}  // namespace culvert::test
