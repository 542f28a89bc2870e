// The broker's side of culvert.v1.Control.Attach.
#include "culvert/v1/control.grpc.pb.h"
#include "tests/integration/broker_denied_fixture.h"
#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;
using Code = grpc::StatusCode;
using Role = crypto::SpiffeId::Role;
using AttachCall = RawCall<AttachRequest, AttachResponse>;

AttachRequest Hello(const std::string& name, uint64_t incarnation = 7) {
  AttachRequest request;
  request.mutable_hello()->set_project(kProject);
  request.mutable_hello()->set_name(name);
  request.mutable_hello()->set_caps(kCapable);
  request.mutable_hello()->set_incarnation(incarnation);
  return request;
}

AttachCall Attach(culvert::v1::Control::Stub& stub, const AttachRequest& hello) {
  AttachCall call([&stub](grpc::ClientContext* context) { return stub.Attach(context); });
  call.Send(hello);
  return call;
}

struct AttachFixture : FakeBrokerFixture {
  using FakeBrokerFixture::FakeBrokerFixture;

  Transport& AttachAs(const std::string& name, uint64_t incarnation = 7) {
    Transport& transport = others.emplace_back();
    Add(Method::kAttach, transport, Hello(name, incarnation).SerializeAsString());
    return transport;
  }
  // The answer to `request`, which must be read and answered at once.
  AttachResponse Ask(Transport& transport, const AttachRequest& request) {
    transport.TakeWrites();
    REQUIRE(transport.Flood(request.SerializeAsString(), 1) == 1);
    return Last<AttachResponse>(transport);
  }
};

TEST_CASE_METHOD(AttachFixture, "Broker answers the hello of a consumer with capabilities",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  CHECK(Last<AttachResponse>(attached).attached().caps() == kCapable);
  CHECK(Last<AttachResponse>(attached).attached().data_port() == 0);
  CHECK_FALSE(attached.finished);
  CHECK(broker.attachments() == 1);
}

TEST_CASE_METHOD(AttachFixture,
                 "Broker answers pings, and has no data port to lease or to stitch on",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  AttachRequest request;
  request.mutable_ping();
  CHECK(Ask(attached, request).has_pong());
  request.mutable_lease_data()->set_count(4);
  CHECK(Ask(attached, request).lease_data().leases().empty());
  CHECK(Ask(attached, request).has_lease_data());
  *request.mutable_open() = Client::OpenRequest("edge-1", kCapable).open_request();
  request.mutable_open()->set_parked_id(5);
  attached.TakeWrites();
  REQUIRE(attached.Flood(request.SerializeAsString(), 1) == 1);
  REQUIRE(Run([&] { return !attached.writing.empty(); }));
  CHECK(Last<AttachResponse>(attached).open_error().parked_id() == 5);
  CHECK(Last<AttachResponse>(attached).open_error().error().code() ==
        culvert::v1::ERROR_CODE_NO_PATH);
}

TEST_CASE_METHOD(AttachFixture, "Broker reads no further while an answer is not taken",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  CHECK_FALSE(attached.reading);  // its answer to the hello is not taken
  attached.TakeWrites();
  AttachRequest ping;
  ping.mutable_ping();
  CHECK(attached.Flood(ping.SerializeAsString(), 100) == 1);
}

TEST_CASE_METHOD(AttachFixture,
                 "Broker refuses to attach who says something else than a good hello", "[attach]") {
  AttachRequest hello = Hello("a-consumer");
  SECTION("no hello") { hello.mutable_ping(); }
  SECTION("no capabilities") { hello.mutable_hello()->set_caps(kLegacy); }
  SECTION("no project") { hello.mutable_hello()->set_project("default"); }
  SECTION("no name") { hello.mutable_hello()->set_name("a b"); }
  SECTION("another region") { hello.mutable_hello()->set_region_id("moon"); }
  Add(Method::kAttach, consumer, hello.SerializeAsString());
  REQUIRE(consumer.finished);
  CHECK((absl::IsInvalidArgument(*consumer.finished) || absl::IsNotFound(*consumer.finished)));
  CHECK(broker.attachments() == 0);
}

TEST_CASE_METHOD(AttachFixture, "Broker ends an attachment that says hello again", "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  attached.TakeWrites();
  attached.Flood(Hello("a-consumer").SerializeAsString(), 1);
  REQUIRE(attached.finished);
  CHECK(absl::IsInvalidArgument(*attached.finished));
  CHECK(broker.attachments() == 0);
}

TEST_CASE_METHOD(AttachFixture, "Broker has one attachment of a process, the newest", "[attach]") {
  Transport& first = AttachAs("a-consumer", 1);
  Transport& other = AttachAs("a-consumer", 2);
  Transport& again = AttachAs("a-consumer", 1);
  REQUIRE(first.finished);
  CHECK(absl::IsAborted(*first.finished));
  CHECK_FALSE(other.finished);
  CHECK_FALSE(again.finished);
  CHECK(broker.attachments() == 2);
  Turn();
  again.delegate->OnEnd(absl::CancelledError("gone"));
  CHECK(broker.attachments() == 1);
}

TEST_CASE_METHOD(AttachFixture, "Broker attaches 64 processes of a consumer and no more",
                 "[attach]") {
  for (uint64_t i = 0; i < broker::Attachments::kMost; ++i) {
    CHECK_FALSE(AttachAs("a-consumer", i).finished);
  }
  Transport& refused = AttachAs("a-consumer", 1'000);
  REQUIRE(refused.finished);
  CHECK(absl::IsResourceExhausted(*refused.finished));
  CHECK_FALSE(AttachAs("another", 1'000).finished);
  CHECK_FALSE(AttachAs("a-consumer", 5).finished);  // in place of an older one
  CHECK(broker.attachments() == broker::Attachments::kMost + 1);
}

TEST_CASE_METHOD(AttachFixture, "Broker tells the consumer's processes that its channel was killed",
                 "[attach]") {
  Transport& one = AttachAs("a-consumer", 1);
  Transport& two = AttachAs("a-consumer", 2);
  Transport& stranger = AttachAs("another", 3);
  const uint64_t session = Register(listen);
  Open(consumer);
  const uint64_t channel = Offered(listen);
  Accept(provider, session, channel);
  REQUIRE(broker.KillChannel(channel));
  for (Transport* told : {&one, &two}) {
    const auto cut = Last<AttachResponse>(*told).notice().cut();
    CHECK(cut.channel_id() == channel);
    CHECK(cut.code() == culvert::v1::ERROR_CODE_KILLED);
  }
  CHECK(Last<AttachResponse>(stranger).has_attached());
}

TEST_CASE_METHOD(AttachFixture, "Broker ends an attachment that is flooded with requests",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  AttachRequest request;
  TokenRate rate = broker::Attachment::kRequests;
  SECTION("pings") {
    request.mutable_ping();
    rate = broker::Attachment::kPings;
  }
  SECTION("leases") { request.mutable_lease_data()->set_count(1); }
  SECTION("openings") { request.mutable_open()->set_parked_id(1); }
  const std::string message = request.SerializeAsString();
  const auto send = [&] {
    attached.TakeWrites();
    return attached.Flood(message, 1) == 1;
  };
  const auto burst = static_cast<int>(rate.burst);
  for (int i = 0; i < burst; ++i) REQUIRE(send());
  CHECK_FALSE(attached.finished);
  // In less than a second.
  for (int i = 0; i < burst && !attached.finished; ++i) send();
  REQUIRE(attached.finished);
  CHECK(absl::IsResourceExhausted(*attached.finished));
  CHECK(broker.attachments() == 0);
}

TEST_CASE_METHOD(AttachFixture, "Broker gives up an attachment that does not read its notices",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  const uint64_t session = Register(listen);
  for (size_t i = 0; i < broker::Attachment::kMostUnread; ++i) {
    Transport& from = others.emplace_back();
    Transport& to = others.emplace_back();
    Open(from);
    const uint64_t channel = Offered(listen);
    Accept(to, session, channel);
    REQUIRE(broker.KillChannel(channel));
    listen.TakeWrites();
    if (attached.finished) break;
  }
  REQUIRE(attached.finished);
  CHECK(absl::IsResourceExhausted(*attached.finished));
  CHECK(attached.writing.size() <= broker::Attachment::kMostUnread);
  CHECK(broker.attachments() == 0);
}

TEST_CASE_METHOD(AttachFixture, "Broker that ends says so to who is attached, and to who comes",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  broker.Drain([] {}, std::chrono::seconds(30));
  Transport& late = others.emplace_back();
  Add(Method::kAttach, late);
  broker.EndAll();
  for (const Transport* transport : {&attached, &late}) {
    REQUIRE(transport->finished);
    CHECK(absl::IsUnavailable(*transport->finished));
  }
}

TEST_CASE_METHOD(DeniedFixture, "Broker attaches a consumer under its own name only, while it may",
                 "[attach]") {
  const crypto::Identity identity = realm.Issue(Role::kUser, "alice");
  const auto alice = culvert::v1::Control::NewStub(ChannelAs(Shown::Of(identity)));
  const auto nobody = culvert::v1::Control::NewStub(ChannelAs(Shown{}));
  CheckDenied(Attach(*nobody, Hello("alice")).End(), Code::UNAUTHENTICATED,
              "no client certificate");
  CheckDenied(Attach(*alice, Hello("bob")).End(), Code::PERMISSION_DENIED, "is not that of");
  AttachRequest elsewhere = Hello("alice");
  elsewhere.mutable_hello()->set_project("projects/lab");
  CheckDenied(Attach(*alice, elsewhere).End(), Code::PERMISSION_DENIED, "not of projects/lab");

  AttachCall call = Attach(*alice, Hello("alice"));
  CHECK(call.Next().has_attached());
  AttachRequest ping;
  ping.mutable_ping();
  call.Send(ping);
  CHECK(call.Next().has_pong());
  broker.Run([&](broker::Broker& at) {
    CHECK(at.attachments() == 1);
    realm.records.revoked.insert(identity.key.public_key().id());
    at.CheckPermissions();
  });
  const grpc::Status ended = call.End();
  CHECK(ended.error_code() == Code::UNAUTHENTICATED);
  CHECK_THAT(ended.error_message(), Catch::Matchers::Contains("revoked"));
  CheckNothingStays();
}

}  // namespace
}  // namespace culvert::test
