// A broker with a data port, where both ends are the test's.
#pragma once

#include <cerrno>

#include "culvert/v1/control.pb.h"
#include "tests/integration/broker_fake_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;
using Listened = V1::ListenResponse;

inline constexpr uint64_t kStitching = kCapable | tunnel::kCapStitched;

inline std::unique_ptr<broker::DataPlane> Listening(net::EventLoop& loop) {
  broker::DataPlane::Options options;
  options.splicer.loops = 1;
  auto plane = broker::DataPlane::Start(loop, options);
  REQUIRE(plane.ok());
  REQUIRE((*plane)->Listen(*net::Address::FromLiteral("127.0.0.1", 0)).ok());
  return *std::move(plane);
}

struct StitchedFixture : FakeBrokerFixture {
  struct Parked {
    uint64_t id = 0;
    Fd fd;
  };

  Transport* attached = nullptr;
  uint64_t session = 0;

  explicit StitchedFixture(const Broker::Limits& limits = {},
                           const Broker::Times& times = {.start_wait = Duration::zero()},
                           const Broker::Access& access = {})
      : FakeBrokerFixture(times, limits, Listening, access) {}

  Transport& Attach(const std::string& name, uint64_t incarnation = 7, uint16_t port = 4022) {
    AttachRequest request;
    request.mutable_hello()->set_project(kProject);
    request.mutable_hello()->set_name(name);
    request.mutable_hello()->set_caps(kStitching);
    request.mutable_hello()->set_incarnation(incarnation);
    Transport& transport = others.emplace_back();
    Add(Method::kAttach, transport, request.SerializeAsString(), port);
    CHECK(Last<AttachResponse>(transport).attached().data_port() == data_plane->advertised_port());
    return transport;
  }
  void Register(uint64_t caps = kStitching) {
    Add(Method::kListen, listen, Client::ListenRequest("edge-1", caps).SerializeAsString());
    session = Last<Listened>(listen).listening().session_id();
  }
  void Begin() {
    Register();
    attached = &Attach("a-consumer");
  }

  void Say(Transport& to, const google::protobuf::Message& message) {
    to.TakeWrites();
    REQUIRE(to.Flood(message.SerializeAsString(), 1) == 1);
  }
  Parked Dial(const culvert::v1::LeaseDataResponse& lent) {
    REQUIRE(lent.leases_size() == 1);
    Fd fd = ConnectToLoopback(data_plane->addresses().front().port());
    SendAll(fd.get(), lent.leases(0).token());
    Turns();
    return {lent.leases(0).parked_id(), std::move(fd)};
  }
  Parked ParkConsumer(Transport& of) {
    AttachRequest request;
    request.mutable_lease_data()->set_count(1);
    Say(of, request);
    return Dial(Last<AttachResponse>(of).lease_data());
  }
  Parked ParkProvider() {
    V1::ListenRequest request;
    request.mutable_lease_data()->set_count(1);
    Say(listen, request);
    return Dial(Last<Listened>(listen).lease_data());
  }
  // Lets sockets be taken.
  void Turns() {
    loop.RunUntil([] { return false; }, std::chrono::milliseconds(20));
  }

  AttachResponse OpenOver(Transport& of, uint64_t parked_id, uint64_t caps = kStitching) {
    AttachRequest request;
    *request.mutable_open() = Client::OpenRequest("edge-1", caps).open_request();
    request.mutable_open()->set_resume_timeout_s(60);
    request.mutable_open()->set_parked_id(parked_id);
    Say(of, request);
    REQUIRE(Run([&] { return !of.writing.empty(); }));
    return Last<AttachResponse>(of);
  }
  culvert::v1::ErrorCode RefusalOf(Transport& of, uint64_t parked_id, uint64_t caps = kStitching) {
    const AttachResponse answer = OpenOver(of, parked_id, caps);
    REQUIRE(answer.has_open_error());
    CHECK(answer.open_error().parked_id() == parked_id);
    return answer.open_error().error().code();
  }
  AttachResponse ResumeOver(const AttachResponse& opened, uint64_t parked_id, uint32_t attempt) {
    AttachRequest request;
    auto& resume = *request.mutable_resume();
    resume.set_project(kProject);
    resume.set_name("a-consumer");
    resume.set_provider_name("edge-1");
    resume.set_session_id(opened.opened().response().session_id());
    resume.set_channel_id(opened.opened().response().channel_id());
    resume.set_caps(kStitching);
    resume.set_ticket(opened.opened().response().ticket());
    resume.set_attempt(attempt);
    resume.set_parked_id(parked_id);
    Say(*attached, request);
    REQUIRE(Run([&] { return !attached->writing.empty(); }));
    return Last<AttachResponse>(*attached);
  }
  void Refuse(uint64_t channel, culvert::v1::ErrorCode code) {
    V1::ListenRequest request;
    request.mutable_channel_open_error()->set_channel_id(channel);
    request.mutable_channel_open_error()->set_code(code);
    request.mutable_channel_open_error()->set_message("the agent's words");
    Say(listen, request);
  }
  void Pass(const Fd& from, const Fd& to, const std::string& bytes) {
    SendAll(from.get(), bytes);
    std::string got;
    CHECK(Run([&] {
      got += ReadNow(to.get()).bytes;
      return got.size() >= bytes.size();
    }));
    CHECK(got == bytes);
  }
  bool IsReset(const Fd& fd) {
    return Run([&] { return ReadNow(fd.get()).error == ECONNRESET; });
  }
  bool HasEnded(const Fd& fd) {
    return Run([&] {
      const PeerRead read = ReadNow(fd.get());
      return read.eof || read.error != 0;
    });
  }
};

// One channel that is open so.
struct OpenFixture : StitchedFixture {
  Parked user;
  Parked agent;
  AttachResponse opened;
  uint64_t channel = 0;

  explicit OpenFixture(const Broker::Times& times = {.start_wait = Duration::zero()})
      : StitchedFixture({}, times) {
    Begin();
    user = ParkConsumer(*attached);
    agent = ParkProvider();
    listen.TakeWrites();
    opened = OpenOver(*attached, user.id);
    REQUIRE(opened.has_opened());
    channel = opened.opened().response().channel_id();
  }
};

}  // namespace culvert::test
