// Who is turned away by a broker with identities, with which code, and that nothing of it stays.
#include "base/status.h"
#include "crypto/certificate_request.h"
#include "tests/integration/broker_denied_fixture.h"

namespace culvert::test {
namespace {

using std::chrono::hours;
using Code = grpc::StatusCode;
using Role = crypto::SpiffeId::Role;
using IdentityStub = culvert::v1::Identity::Stub;

// Everything that is only for those who are known, asked by `shown`.
void CheckUnknownEverywhere(DeniedFixture& to, const Shown& shown, const std::string& words) {
  const auto channel = to.ChannelAs(shown);
  DeniedFixture::Client client(channel);
  for (const grpc::Status& status :
       {DeniedFixture::Open(client, "alice").End(), DeniedFixture::Listen(client, "alice"),
        DeniedFixture::Accept(client, "alice", 1, 1),
        DeniedFixture::Ask(channel, &IdentityStub::Renew),
        DeniedFixture::Ask(channel, &IdentityStub::WhoAmI),
        DeniedFixture::Ask(channel, &IdentityStub::ListAgents)}) {
    to.CheckDenied(status, Code::UNAUTHENTICATED, words);
  }
}

TEST_CASE_METHOD(DeniedFixture, "Broker refuses who does not show a good certificate", "[denied]") {
  const TestRealm other;
  const std::string server_key = realm.pki().server_key_file();
  const std::string folder = server_key.substr(0, server_key.rfind('/'));
  const auto issue = [this](hours begin, hours end) {
    return Shown::Of(realm.Issue(Role::kUser, "alice", "default", begin, end));
  };
  const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  const crypto::Certificate elsewhere =
      *realm.pki().Issue({"elsewhere.example", "default", Role::kUser, "alice"}, key.public_key(),
                         std::chrono::system_clock::now());
  struct Bad {
    std::string what;
    Shown shown;
    std::string words;
  };
  const std::vector<Bad> all = {
      {"none", {}, "no client certificate"},
      {"another authority's", Shown::Of(other.Issue(Role::kUser, "alice")), "another authority"},
      {"another authority's for an agent", Shown::Of(other.Issue(Role::kAgent, "alice")),
       "another authority"},
      {"expired", issue(-hours(48), -hours(1)), "expired"},
      {"not valid yet", issue(hours(1), hours(2)), "not valid yet"},
      {"of another trust domain", {key.Pem(), elsewhere.Pem()}, "names nobody here"},
      {"the broker's own", Shown::FromFiles(server_key, realm.pki().server_certificate_file()),
       "certificate"},
      {"the authority's own", Shown::FromFiles(folder + "/ca-key.pem", folder + "/ca.pem"),
       "an authority's own"},
  };
  for (const Bad& bad : all) {
    CAPTURE(bad.what);
    CheckUnknownEverywhere(*this, bad.shown, bad.words);
  }
  CheckNothingStays();
}

TEST_CASE_METHOD(DeniedFixture, "Broker refuses a revoked key, whatever certificate it has",
                 "[denied]") {
  const crypto::Identity alice = realm.Issue(Role::kUser, "alice");
  const crypto::Certificate again =
      *realm.pki().Issue({broker::kTrustDomain, "default", Role::kAgent, "edge-7"},
                         alice.key.public_key(), std::chrono::system_clock::now());
  broker.Run([&](broker::Broker&) { realm.records.revoked.insert(alice.key.public_key().id()); });
  CheckUnknownEverywhere(*this, Shown::Of(alice), "revoked");
  CheckUnknownEverywhere(*this, {alice.key.Pem(), again.Pem()}, "revoked");
  CheckNothingStays();
}

TEST_CASE_METHOD(DeniedFixture, "Broker lets nobody be or reach what is not theirs", "[denied]") {
  Client alice = As(Role::kUser, "alice");
  Client edge = As(Role::kAgent, "edge-1");
  const auto denied = [this](const grpc::Status& status, const std::string& words) {
    CheckDenied(status, Code::PERMISSION_DENIED, words);
  };
  SECTION("a user under another's name") {
    denied(Open(alice, "bob").End(), "the name \"bob\" is not that of user alice");
    denied(Open(alice, "").End(), "the name \"\" is not that of user alice");
  }
  SECTION("a user in another project") {
    denied(Open(alice, "alice", "projects/other").End(), "user alice is of projects/default");
  }
  SECTION("a user of the same name in another project") {
    Client foreign(ChannelAs(Shown::Of(realm.Issue(Role::kUser, "alice", "other"))));
    denied(Open(foreign, "alice").End(), "user alice is of projects/other");
  }
  SECTION("a user whom no rule allows it") {
    broker.Run([&](broker::Broker&) { realm.records.denied = true; });
    denied(Open(alice, "alice").End(), "no rule");
  }
  SECTION("an agent of a user's name, by a rule for the user") {
    broker.Run([&](broker::Broker&) { realm.records.only = "user alice"; });
    Client agent = As(Role::kAgent, "alice");
    denied(Open(agent, "alice").End(), "no rule allows it to agent alice");
  }
  SECTION("an agent under another's name") {
    denied(Listen(edge, "edge-2"),
           "agent edge-1 of projects/default may not be projects/default/edge-2");
  }
  SECTION("a user as an agent") {
    denied(Listen(alice, "alice"), "user alice is not an agent");
    Client same_name = As(Role::kUser, "edge-1");
    denied(Listen(same_name, "edge-1"), "user edge-1 is not an agent");
  }
  SECTION("an agent of the same name in another project") {
    Client foreign(ChannelAs(Shown::Of(realm.Issue(Role::kAgent, "edge-1", "other"))));
    denied(Listen(foreign, "edge-1"),
           "agent edge-1 of projects/other may not be projects/default/edge-1");
  }
  CHECK(!denials.empty());
  CheckNothingStays();
}

// An agent that is here, and was offered a channel that alice opens.
struct OfferFixture : DeniedFixture {
  Client edge = As(Role::kAgent, "edge-1");
  Client alice = As(Role::kUser, "alice");
  std::optional<RawProvider<V1>> provider{std::in_place, edge, "edge-1", kCapable};
  Client::ConnectCall opening = Open(alice, "alice");
  V1::ListenResponse::OpenChannelResponse offer = provider->Offer();

  // Whose it is still may accept; then everybody leaves.
  void CheckStillTheirs() {
    auto accepted = provider->Accept(offer.channel_id());
    CHECK(opening.Next().open_response().channel_id() == offer.channel_id());
    opening.Cancel();
    provider->listen.Cancel();
    CHECK(accepted.End().error_code() != Code::OK);
    CHECK(opening.End().error_code() == Code::CANCELLED);
    CHECK(provider->listen.End().error_code() == Code::CANCELLED);
    CheckNothingStays();
  }
};

TEST_CASE_METHOD(OfferFixture, "Broker tells an agent who it is that opens, not what they say",
                 "[denied]") {
  CHECK(offer.consumer().spiffe_id() == "spiffe://culvert.internal/project/default/user/alice");
  CheckStillTheirs();
}

TEST_CASE_METHOD(OfferFixture, "Broker lets nobody take an agent's channel", "[denied]") {
  const auto take = [this](Client& client, const std::string& name) {
    return Accept(client, name, provider->session(), offer.channel_id());
  };
  // The user, another agent, and an agent of that name with another key.
  CheckDenied(take(alice, "edge-1"), Code::PERMISSION_DENIED, "user alice is not an agent");
  Client other = As(Role::kAgent, "edge-2");
  CheckDenied(take(other, "edge-1"), Code::PERMISSION_DENIED, "may not be projects/default/edge-1");
  CheckDenied(take(other, "edge-2"), Code::NOT_FOUND, "no such channel");
  Client same_name = As(Role::kAgent, "edge-1");
  CheckDenied(take(same_name, "edge-1"), Code::NOT_FOUND, "no such channel");
  CheckStillTheirs();
}

TEST_CASE_METHOD(OfferFixture, "Broker gives nothing for ids that are guessed", "[denied]") {
  const uint64_t session = provider->session();
  const uint64_t channel = offer.channel_id();
  const std::vector<std::pair<uint64_t, uint64_t>> guesses = {
      {session + 1, channel}, {session, channel + 1}, {0, channel}, {session, 0}, {0, 0},
      {channel, session}};
  for (const auto& [a_session, a_channel] : guesses) {
    CheckDenied(Accept(edge, "edge-1", a_session, a_channel), Code::NOT_FOUND, "no such channel");
  }
  CheckStillTheirs();
}

TEST_CASE_METHOD(OfferFixture, "Broker lets nobody resume with ids alone, be they the right ones",
                 "[denied]") {
  const auto fill = [this](auto& resume, const std::string& name) {
    resume.set_project(kProject);
    resume.set_name(name);
    resume.set_session_id(provider->session());
  };
  const auto accept_again = [&](Client& client) {
    V1::AcceptRequest request;
    fill(*request.mutable_resume_request(), "edge-1");
    request.mutable_resume_request()->set_channel_id(offer.channel_id());
    auto call = client.Accept();
    call.Send(request);
    return call.End();
  };
  Client other = As(Role::kAgent, "edge-2");
  CheckDenied(accept_again(other), Code::PERMISSION_DENIED, "may not be projects/default/edge-1");
  CheckDenied(accept_again(edge), Code::NOT_FOUND, "no such channel is waiting");

  V1::ListenRequest listen;
  fill(*listen.mutable_resume_request(), "edge-1");
  auto listening = other.Listen();
  listening.Send(listen);
  CheckDenied(listening.End(), Code::PERMISSION_DENIED, "may not be projects/default/edge-1");

  V1::ConnectRequest connect;
  fill(*connect.mutable_resume_request(), "bob");
  connect.mutable_resume_request()->set_provider_name("edge-1");
  connect.mutable_resume_request()->set_channel_id(offer.channel_id());
  Client bob = As(Role::kUser, "bob");
  auto connecting = bob.Connect();
  connecting.Send(connect);
  CheckDenied(connecting.End(), Code::OUT_OF_RANGE, "does not hold the channel");
  CheckStillTheirs();
}

TEST_CASE_METHOD(DeniedFixture, "Broker shows nobody agents that they may not reach", "[denied]") {
  Client edge = As(Role::kAgent, "edge-1");
  RawProvider<V1> provider(edge, "edge-1", kCapable);
  const auto seen_by = [this](const Shown& shown) {
    grpc::ClientContext context;
    culvert::v1::ListAgentsResponse response;
    const auto stub = culvert::v1::Identity::NewStub(ChannelAs(shown));
    CHECK(stub->ListAgents(&context, {}, &response).ok());
    return response.agents_size();
  };
  CHECK(seen_by(Shown::Of(realm.Issue(Role::kUser, "alice"))) == 1);
  CHECK(seen_by(Shown::Of(realm.Issue(Role::kUser, "alice", "other"))) == 0);
  broker.Run([&](broker::Broker&) { realm.records.denied = true; });
  CHECK(seen_by(Shown::Of(realm.Issue(Role::kUser, "alice"))) == 0);
  provider.listen.Cancel();
  CHECK(provider.listen.End().error_code() == Code::CANCELLED);
  CheckNothingStays();
}

}  // namespace
}  // namespace culvert::test
