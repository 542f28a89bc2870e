// A Provider at a broker that the test plays, and what such a broker says.
#pragma once

#include "base/status.h"
#include "tests/integration/broker_fixture.h"
#include "tests/integration/sdk_fixture.h"
#include "tests/support/raw_client.h"
#include "tests/support/scripted_broker.h"

namespace culvert::test {

inline constexpr uint64_t kSession = 7;
inline constexpr uint64_t kChannel = 5;
inline constexpr uint32_t kResumeSeconds = 300;

inline V1::ListenResponse Listening(uint64_t session, const std::string& ticket) {
  V1::ListenResponse response;
  response.mutable_listening()->set_session_id(session);
  response.mutable_listening()->set_session_ticket(ticket);
  response.mutable_listening()->set_caps(kCapable);
  return response;
}

inline V1::ListenResponse Offer(uint64_t channel, uint64_t caps = kCapable,
                                uint32_t resume_seconds = kResumeSeconds) {
  V1::ListenResponse response;
  auto& offer = *response.mutable_open_channel_response();
  offer.set_channel_id(channel);
  offer.set_service("probe");
  offer.set_caps(caps);
  offer.set_window(kWindow);
  offer.set_attempt(1);
  offer.set_resume_timeout_s(resume_seconds);
  return response;
}

inline V1::ListenResponse Resume(uint64_t channel, uint32_t attempt, uint64_t last_id) {
  V1::ListenResponse response;
  auto& resume = *response.mutable_resume_channel_response();
  resume.set_channel_id(channel);
  resume.set_service("probe");
  resume.set_caps(kCapable);
  resume.set_attempt(attempt);
  resume.set_last_message_id(last_id);
  resume.set_window(kWindow);
  return response;
}

inline V1::ListenResponse CutNotice(uint64_t channel, culvert::v1::ErrorCode code) {
  V1::ListenResponse response;
  auto& cut = *response.mutable_notice()->mutable_cut();
  cut.set_channel_id(channel);
  cut.set_code(code);
  cut.set_message("by the test");
  return response;
}

inline V1::AcceptResponse Accepted() {
  V1::AcceptResponse response;
  response.mutable_accepted();
  return response;
}

inline const grpc::Status kLost{grpc::StatusCode::UNAVAILABLE, "path lost"};

// Registered, without a channel.
struct ProviderAt {
  std::optional<ScriptedBroker> broker{std::in_place};
  TestProvider sdk;
  std::shared_ptr<ScriptedBroker::Listen> listen;
  V1::ListenRequest opening;

  explicit ProviderAt(std::chrono::nanoseconds resume_timeout = std::chrono::minutes(5))
      : sdk(Options(broker->address(), resume_timeout)), listen(broker->NextListen()) {
    opening = listen->Next();
    listen->Send(Listening(kSession, "a ticket"));
    REQUIRE(sdk.WaitForRegistrations(1));
  }

  static ClientOptions Options(const std::string& broker, std::chrono::nanoseconds timeout) {
    ClientOptions options = InsecureOptions({broker}, "edge-1");
    options.resume_timeout = timeout;
    return options;
  }

  // Offers a channel and takes it; `probe` is the `index`th one.
  std::shared_ptr<ScriptedBroker::Accept> Open(uint64_t channel = kChannel,
                                               uint64_t caps = kCapable,
                                               uint32_t resume_seconds = kResumeSeconds) {
    listen->Send(Offer(channel, caps, resume_seconds));
    auto accept = broker->NextAccept();
    REQUIRE(accept->Next().has_open_request());
    accept->Send(Accepted());
    return accept;
  }

  // Takes the next registration up, as `session`.
  V1::ListenRequest ListenAgain(uint64_t session, const std::string& ticket = "a ticket") {
    listen = broker->NextListen();
    V1::ListenRequest request = listen->Next();
    listen->Send(Listening(session, ticket));
    return request;
  }

  // Asks the provider to go on with the channel and joins its Accept.
  std::shared_ptr<ScriptedBroker::Accept> ResumeChannel(uint32_t attempt, uint64_t last_id,
                                                        V1::AcceptRequest* request = nullptr) {
    listen->Send(Resume(kChannel, attempt, last_id));
    auto accept = broker->NextAccept();
    const V1::AcceptRequest first = accept->Next();
    REQUIRE(first.has_resume_request());
    if (request != nullptr) *request = first;
    accept->Send(Accepted());
    return accept;
  }
};

// With a channel that has carried something both ways.
struct ProviderWithChannel : ProviderAt {
  std::shared_ptr<ScriptedBroker::Accept> accept;
  std::shared_ptr<Probe> probe;

  explicit ProviderWithChannel(std::chrono::nanoseconds resume_timeout = std::chrono::minutes(5))
      : ProviderAt(resume_timeout), accept(Open()), probe(sdk.Service(0)) {
    accept->Send(DataMessage<V1::AcceptResponse>(1, "in"));
    REQUIRE(probe->WaitForBytes("in"));
    probe->Say("out");
    REQUIRE(NextData(*accept) == "out");
  }

  static std::string NextData(ScriptedBroker::Accept& call) {
    while (true) {
      const V1::AcceptRequest message = call.Next();
      if (message.has_data()) return message.data().bytes();
    }
  }
};

}  // namespace culvert::test
