// Resumes at a broker with identities: whom it lets nothing of somebody else's.
#include "tests/integration/broker_denied_fixture.h"
#include "tests/integration/broker_resume_fixture.h"

namespace culvert::test {
namespace {

// A channel of alice's at edge-1 that lost its path.
struct LostFixture {
  using Role = crypto::SpiffeId::Role;
  using Client = RawClient<V1>;

  DeniedFixture base;
  TestBroker& broker = base.broker;
  crypto::Identity edge_identity = base.realm.Issue(Role::kAgent, "edge-1");
  crypto::Identity alice_identity = base.realm.Issue(Role::kUser, "alice");
  Client edge = As(edge_identity);
  Client alice = As(alice_identity);
  std::optional<ResumingProvider> provider{std::in_place, edge};
  Held held;

  LostFixture() {
    auto request = OpenToResume();
    request.mutable_open_request()->set_name("alice");
    auto consumer = alice.Connect();
    consumer.Send(request);
    auto accept = provider->Accept(provider->Offer().channel_id());
    held = Held::Of(consumer.Next().open_response());
    held.consumer = "alice";
    consumer.Cancel();
    REQUIRE(accept.End().error_code() == StatusCode::UNAVAILABLE);
    REQUIRE(broker.WaitForChannels(0));
  }

  Client As(const crypto::Identity& identity) {
    return Client(base.ChannelAs(Shown::Of(identity)));
  }
  static std::string KeyOf(const crypto::Identity& identity) {
    return identity.certificate.public_key().id();
  }
  Client::ConnectCall Resume(Client& client, uint32_t attempt) {
    auto call = client.Connect();
    call.Send(held.Request(attempt));
    return call;
  }
  // For good, and the provider hears of it.
  void CheckCut(ErrorCode code) {
    auto again = Resume(alice, 2);
    const Refused refused(again);
    CHECK(refused.error.code() == code);
    CHECK(refused.status.error_code() == StatusCode::PERMISSION_DENIED);
    const auto cut = provider->Cut();
    CHECK(cut.channel_id() == held.channel);
    CHECK(cut.code() == code);
    REQUIRE(broker.WaitForChannels(0));
  }
};

TEST_CASE_METHOD(LostFixture, "Broker resumes for the key that has opened", "[denied][resume]") {
  auto again = Resume(alice, 2);
  const auto offer = provider->ResumeOffer();
  CHECK(offer.consumer().spiffe_id() == alice_identity.certificate.spiffe_id()->ToString());
  CHECK(offer.consumer().key_thumbprint() == KeyOf(alice_identity));
  auto accept = provider->AcceptResume(held.channel, 2);
  const auto resumed = again.Next().resume_response();
  CHECK(resumed.provider_key() == KeyOf(edge_identity));
  const auto events = broker.TakeAudit(broker::AuditKind::kResume);
  REQUIRE(events.size() == 1);
  CHECK(events[0].key == KeyOf(alice_identity));
}

TEST_CASE_METHOD(LostFixture, "Broker with the same keys takes up what another one has begun",
                 "[denied][resume]") {
  TestBroker other(base.realm);
  Client edge_there(base.ChannelTo(other, Shown::Of(edge_identity)));
  Client alice_there(base.ChannelTo(other, Shown::Of(alice_identity)));
  std::optional<ResumingProvider> there;
  std::optional<Client::ConnectCall> again;
  SECTION("when the provider comes first") {
    there.emplace(edge_there, provider->listening);
    again.emplace(Resume(alice_there, 2));
  }
  SECTION("when the consumer comes first") {
    again.emplace(Resume(alice_there, 2));
    REQUIRE(other.WaitForChannels(1));
    there.emplace(edge_there, provider->listening);
  }
  CHECK(there->session() == held.session);
  auto accept = there->AcceptResume(there->ResumeOffer().channel_id(), 2);
  const auto resumed = again->Next().resume_response();
  CHECK(resumed.channel_id() == held.channel);
  CHECK(resumed.provider_key() == KeyOf(edge_identity));
}

TEST_CASE_METHOD(LostFixture, "Broker lets nobody use a ticket that was stolen",
                 "[denied][resume]") {
  const bool same_name = GENERATE(true, false);
  Client thief = As(base.realm.Issue(Role::kUser, same_name ? "alice" : "mallory"));
  auto again = Resume(thief, 2);
  const Refused refused(again);
  CHECK(refused.error.code() == culvert::v1::ERROR_CODE_DENIED);
  CHECK(refused.status.error_code() == StatusCode::PERMISSION_DENIED);
  CHECK(broker.TakeAudit(broker::AuditKind::kDeny).size() == 1);
  // The owner has lost nothing by it.
  CHECK(provider->HeardNothing());
  auto owner = Resume(alice, 2);
  auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 2);
  CHECK(owner.Next().has_resume_response());
}

TEST_CASE_METHOD(LostFixture, "Broker resumes nothing for a key that was revoked",
                 "[denied][resume]") {
  broker.Run([&](broker::Broker&) { base.realm.records.revoked.insert(KeyOf(alice_identity)); });
  CheckCut(culvert::v1::ERROR_CODE_REVOKED);
}

TEST_CASE_METHOD(LostFixture, "Broker resumes nothing at a provider whose key was revoked",
                 "[denied][resume]") {
  broker.Run([&](broker::Broker&) { base.realm.records.revoked.insert(KeyOf(edge_identity)); });
  CheckCut(culvert::v1::ERROR_CODE_REVOKED);
}

TEST_CASE_METHOD(LostFixture, "Broker resumes no channel that was killed", "[denied][resume]") {
  broker.Run(
      [&](broker::Broker&) { REQUIRE(base.realm.tickets.Kill(held.channel, WallNow()).ok()); });
  CheckCut(culvert::v1::ERROR_CODE_KILLED);
}

TEST_CASE_METHOD(LostFixture, "Broker resumes nothing that the policy does not allow any more",
                 "[denied][resume]") {
  broker.Run([&](broker::Broker&) { base.realm.records.denied = true; });
  CheckCut(culvert::v1::ERROR_CODE_DENIED);
}

TEST_CASE_METHOD(LostFixture, "Broker tells the provider once of who is denied again and again",
                 "[denied][resume]") {
  broker.Run([&](broker::Broker&) { base.realm.records.denied = true; });
  CheckCut(culvert::v1::ERROR_CODE_DENIED);
  const auto deny_again = [this](uint32_t attempt) {
    auto again = Resume(alice, attempt);
    CHECK(Refused(again).error.code() == culvert::v1::ERROR_CODE_DENIED);
  };
  for (uint32_t attempt = 3; attempt < 20; ++attempt) deny_again(attempt);
  CHECK(provider->HeardNothing());

  // What was written to a stream that was lost may not have arrived.
  const auto earlier = provider->listening;
  provider.emplace(edge, earlier);
  REQUIRE(provider->session() == held.session);
  CHECK(provider->HeardNothing());
  deny_again(20);
  CHECK(provider->Cut().channel_id() == held.channel);
  deny_again(21);
  CHECK(provider->HeardNothing());
}

TEST_CASE_METHOD(LostFixture, "Broker tells a provider that was away what was denied meanwhile",
                 "[denied][resume]") {
  const auto earlier = provider->listening;
  provider->listen.Cancel();
  REQUIRE(broker.WaitForSessions(0));
  broker.Run([&](broker::Broker&) { base.realm.records.denied = true; });
  auto again = Resume(alice, 2);
  CHECK(Refused(again).status.error_code() == StatusCode::PERMISSION_DENIED);
  for (int i = 0; i < 2; ++i) {
    ResumingProvider back(edge, earlier);
    REQUIRE(back.session() == earlier.session_id());
    // Once.
    if (i == 0) CHECK(back.Cut().channel_id() == held.channel);
    CHECK(back.HeardNothing());
  }
}

TEST_CASE_METHOD(LostFixture, "Broker ends what waits or runs when the policy changes",
                 "[denied][resume]") {
  const auto forbid = [this] {
    broker.Run([&](broker::Broker& at) {
      base.realm.records.denied = true;
      at.CheckPermissions();
    });
  };
  SECTION("a resume that is held") {
    provider->listen.Cancel();
    REQUIRE(broker.WaitForSessions(0));
    auto again = Resume(alice, 2);
    REQUIRE(broker.WaitForChannels(1));
    forbid();
    const Refused refused(again);
    CHECK(refused.error.code() == culvert::v1::ERROR_CODE_DENIED);
    CHECK(refused.status.error_code() == StatusCode::PERMISSION_DENIED);
  }
  SECTION("a resume that the provider was asked for") {
    auto again = Resume(alice, 2);
    provider->ResumeOffer();
    forbid();
    CHECK(Refused(again).status.error_code() == StatusCode::PERMISSION_DENIED);
    CHECK(provider->Cut().channel_id() == held.channel);
  }
  SECTION("a path that was made by a resume") {
    auto again = Resume(alice, 2);
    auto accept = provider->AcceptResume(provider->ResumeOffer().channel_id(), 2);
    REQUIRE(again.Next().has_resume_response());
    forbid();
    CHECK(again.End().error_code() == StatusCode::PERMISSION_DENIED);
    CHECK(accept.End().error_code() == StatusCode::PERMISSION_DENIED);
    CHECK(provider->Cut().channel_id() == held.channel);
  }
  CHECK(broker.WaitForChannels(0));
}

TEST_CASE_METHOD(LostFixture, "Broker lets no other key of an agent's name take its channels",
                 "[denied][resume]") {
  Client other = As(base.realm.Issue(Role::kAgent, "edge-1"));
  auto again = Resume(alice, 2);
  provider->ResumeOffer();
  SECTION("that accepts") {
    V1::AcceptRequest request;
    auto& resume = *request.mutable_resume_request();
    resume.set_project(kProject);
    resume.set_name("edge-1");
    resume.set_session_id(provider->session());
    resume.set_channel_id(held.channel);
    resume.set_caps(kCapable);
    resume.set_attempt(2);
    auto call = other.Accept();
    call.Send(request);
    CHECK(call.End().error_code() == StatusCode::NOT_FOUND);
    auto accept = provider->AcceptResume(held.channel, 2);
    CHECK(again.Next().has_resume_response());
  }
  SECTION("that shows the ticket of the session") {
    ResumingProvider taken(other, provider->listening);
    CHECK(taken.session() != provider->session());
    CHECK(Refused(again).status.error_code() == StatusCode::OUT_OF_RANGE);
  }
}

}  // namespace
}  // namespace culvert::test
