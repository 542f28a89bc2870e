// Agents and users whose keys change while they are known.
#include "base/status.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "sdk/broker_query.h"
#include "sdk/client_core.h"
#include "sdk/known_agents.h"
#include "sdk/renewal.h"
#include "tests/integration/sdk_secure_fixture.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using crypto::Identity;
using crypto::SpiffeId;

bool IsOpen(const Probe& probe) { return probe.opened; }

// A consumer that knows the agent edge-1, which then comes back with another key.
struct ChangedKeyFixture {
  TestRealm realm;
  TestBroker broker{realm};
  Identity before = realm.Issue(SpiffeId::Role::kAgent, "edge-1");
  Identity between = realm.Issue(SpiffeId::Role::kAgent, "edge-1");
  Identity after = realm.Issue(SpiffeId::Role::kAgent, "edge-1");
  TestProvider provider{SecureOptions(broker.address(), realm.Keep(after))};
  std::string alice = realm.User("alice");

  ChangedKeyFixture() {
    REQUIRE(KnownAgents(alice).Add({"default/edge-1", KeyOf(before)}).ok());
    REQUIRE(provider.WaitForRegistrations(1));
  }
  static std::string KeyOf(const Identity& identity) { return identity.key.public_key().id(); }
  static crypto::KeyRotation Statement(const Identity& from, const Identity& to) {
    return crypto::SignKeyRotation(from.key, to.key.public_key(), from.spiffe_id(), WallNow());
  }
  // What the broker tells of the agent's keys, whether it is true or not.
  void Tell(std::vector<crypto::KeyRotation> rotations) {
    broker.Run([&](broker::Broker&) { realm.records.rotations = std::move(rotations); });
  }
  std::string Known() const { return KnownAgents(alice).List()->at(0).key; }
  // The reason, if a new connection is refused.
  std::string Refused(const ClientOptions& options) const {
    TestConsumer consumer(options);
    auto outlet = consumer.Connect("echo");
    const absl::Status why = outlet->WaitForClose();
    CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
    CHECK(!outlet->opened);
    return std::string(MessageOf(why));
  }
  std::string Refused() const { return Refused(SecureOptions(broker.address(), alice)); }
};

TEST_CASE_METHOD(ChangedKeyFixture, "Consumer follows statements from the known key to a new one",
                 "[sdk]") {
  Tell({Statement(before, between), Statement(between, after)});
  TestConsumer consumer(SecureOptions(broker.address(), alice));
  CHECK(consumer.Connect("echo")->Wait(IsOpen));
  CHECK(Known() == KeyOf(after));
}

TEST_CASE_METHOD(ChangedKeyFixture, "Consumer believes no statement that the broker made up",
                 "[sdk]") {
  crypto::KeyRotation forged = Statement(before, after);
  forged.signature = between.key.Sign("something else");
  crypto::KeyRotation renamed = Statement(before, after);
  const Identity other = realm.Issue(SpiffeId::Role::kAgent, "edge-2");
  renamed.spiffe_id = other.spiffe_id().ToString();
  const std::vector<std::vector<crypto::KeyRotation>> told = {
      {},
      {forged},
      {renamed},
      // Another agent's statement about the same keys, as it was signed.
      {crypto::SignKeyRotation(before.key, after.key.public_key(), other.spiffe_id(), WallNow())},
      {Statement(after, before)},                 // the other way
      {Statement(between, after)},                // a link is missing
      {Statement(before, between)},               // leads elsewhere
      std::vector(17, Statement(before, after)),  // more than anybody keeps
  };
  for (const auto& rotations : told) {
    Tell(rotations);
    CHECK_THAT(Refused(), Contains("KEY OF AGENT edge-1 HAS CHANGED"));
    CHECK(Known() == KeyOf(before));
  }
}

TEST_CASE_METHOD(ChangedKeyFixture, "Consumer moves no pin of agent_keys for a statement",
                 "[sdk]") {
  Tell({Statement(before, after)});
  ClientOptions options = SecureOptions(broker.address(), alice);
  options.agent_keys["edge-1"] = KeyOf(before);
  CHECK_THAT(Refused(options), Contains("as --agent-key says"));
  CHECK(Known() == KeyOf(before));
}

TEST_CASE_METHOD(ChangedKeyFixture, "Broker tells an agent's statements to those who may see it",
                 "[sdk]") {
  Tell({Statement(before, after)});
  broker.Run([&](broker::Broker&) { realm.records.denied = true; });
  const Identity user = *crypto::LoadIdentity(alice);
  BrokerQuery query;
  query.brokers = {broker.address()};
  query.credentials = rpc::Credentials::ForIdentity(user);
  query.method = rpc::Method::kKeyRotations;
  culvert::v1::KeyRotationsRequest request;
  request.set_agent("edge-1");
  query.request = rpc::FrameOf(request);
  CHECK(absl::IsPermissionDenied(AskBroker(query).status()));
  broker.Run([&](broker::Broker&) { realm.records.denied = false; });
  CHECK(AskBroker(query).ok());
}

// --- programs that run while their own key changes ---

TEST_CASE("Agent takes up a rotated key without ending a channel, and known agents follow",
          "[sdk]") {
  TestRealm realm;
  TestBroker broker(realm);
  const std::string agent = realm.Agent("edge-1");
  const std::string alice = realm.User("alice");
  const std::string old_key = crypto::LoadIdentity(agent)->key.public_key().id();
  TestProvider provider(SecureOptions(broker.address(), agent));
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(SecureOptions(broker.address(), alice));
  auto live = consumer.Connect("probe");
  live->Say("before");
  auto service = provider.Service(0);
  REQUIRE(service->WaitForBytes("before"));

  const auto renewed = RenewNow(agent, {broker.address()}, KeyChoice::kNew);
  REQUIRE(renewed.ok());
  REQUIRE(renewed->identity);
  const std::string new_key = renewed->identity->key.public_key().id();
  CHECK(new_key != old_key);
  provider.client->Run([&] { provider.client->core().TakeUpIdentity(); });
  REQUIRE(provider.WaitForRegistrations(2));

  live->Say(" after");
  CHECK(service->WaitForBytes("before after"));
  CHECK(consumer.Connect("echo")->Wait(IsOpen));
  CHECK(KnownAgents(alice).List()->at(0).key == new_key);
}

TEST_CASE("Consumer goes on with a new key, and its channels too", "[sdk]") {
  SecureFixture sdk;
  auto live = sdk.consumer.Connect("probe");
  live->Say("before");
  auto service = sdk.provider.Service(0);
  REQUIRE(service->WaitForBytes("before"));
  const auto renewed = RenewNow(sdk.alice, {sdk.broker.address()}, KeyChoice::kNew);
  REQUIRE(renewed.ok());
  ClientCore& core = sdk.consumer.client->core();
  sdk.consumer.client->Run([&] { core.TakeUpIdentity(); });
  const std::string new_key = renewed->identity->key.public_key().id();
  REQUIRE(Eventually([&] {
    std::string key;
    sdk.consumer.client->Run([&] { key = core.identity()->identity().key.public_key().id(); });
    return key == new_key;
  }));
  live->Say(" after");
  CHECK(service->WaitForBytes("before after"));
  CHECK(sdk.consumer.Connect("echo")->Wait(IsOpen));
  sdk.provider.Service(1);
  const std::lock_guard lock(sdk.provider.mutex);
  CHECK(sdk.provider.requests[1].user_key == new_key);
}

TEST_CASE("Identity is renewed for a new key by itself where that is wanted", "[sdk]") {
  TestRealm realm;
  TestBroker broker(realm);
  const std::string agent =
      realm.Keep(realm.Issue(SpiffeId::Role::kAgent, "edge-1", "default", std::chrono::seconds(-20),
                             std::chrono::seconds(10)));
  const std::string before = crypto::LoadIdentity(agent)->key.public_key().id();
  ClientOptions options = SecureOptions(broker.address(), agent);
  options.rotate_key = true;
  TestProvider provider(options);
  REQUIRE(Eventually([&] { return crypto::LoadIdentity(agent)->key.public_key().id() != before; }));
  // It registers with the new key.
  CHECK(provider.WaitForRegistrations(2));
}

TEST_CASE("Identity is renewed once the clocks agree again", "[sdk]") {
  TestRealm realm;
  realm.records.may_renew = absl::OutOfRangeError("set the clock");
  TestBroker broker(realm);
  const std::string agent =
      realm.Keep(realm.Issue(SpiffeId::Role::kAgent, "edge-1", "default", std::chrono::seconds(-20),
                             std::chrono::seconds(10)));
  const std::string before = crypto::LoadIdentity(agent)->certificate.serial();
  TestProvider provider(SecureOptions(broker.address(), agent));
  REQUIRE(Eventually([&] {
    int refused = 0;
    broker.Run([&](broker::Broker&) { refused = realm.records.refused_renewals; });
    return refused >= 1;
  }));
  broker.Run([&](broker::Broker&) { realm.records.may_renew = absl::OkStatus(); });
  CHECK(Eventually([&] { return crypto::LoadIdentity(agent)->certificate.serial() != before; }));
}

TEST_CASE("Renewal brings the same new key again until it is kept", "[sdk]") {
  TestRealm realm;
  const std::string agent = realm.Agent("edge-1");
  const Identity present = *crypto::LoadIdentity(agent);
  const auto first = NextKey(present, agent, KeyChoice::kNew);
  REQUIRE(first.ok());
  CHECK(NextKey(present, agent, KeyChoice::kNew)->public_key() == first->public_key());
  CHECK(NextKey(present, agent, KeyChoice::kSame)->public_key() == present.key.public_key());

  // The identity was kept, but the program ended before the file of the key was gone.
  const Identity next{*first, present.certificate, present.authority};
  CHECK(!(NextKey(next, agent, KeyChoice::kNew)->public_key() == first->public_key()));
}

TEST_CASE("Renewal uses what another process has renewed, and nobody else's", "[sdk]") {
  TestRealm realm;
  const Identity present = realm.Issue(SpiffeId::Role::kAgent, "edge-1");
  const Identity later = realm.Issue(SpiffeId::Role::kAgent, "edge-1");
  const Identity due = realm.Issue(SpiffeId::Role::kAgent, "edge-1", "default",
                                   std::chrono::seconds(-20), std::chrono::seconds(5));
  const Identity other = realm.Issue(SpiffeId::Role::kAgent, "edge-2");
  const auto serial_of = [&](const Identity& there) {
    const auto kept = KeepRenewed(realm.Keep(there), present, later);
    return kept.ok() ? kept->certificate.serial() : "refused";
  };
  CHECK(serial_of(present) == later.certificate.serial());
  CHECK(serial_of(due) == later.certificate.serial());
  CHECK(serial_of(other) == "refused");
  CHECK(FindSuccessor(realm.Keep(later), present, WallNow()).has_value());
  CHECK_FALSE(FindSuccessor(realm.Keep(present), present, WallNow()).has_value());
  CHECK_FALSE(FindSuccessor(realm.Keep(other), present, WallNow()).has_value());
  CHECK_FALSE(FindSuccessor(realm.Keep(due), present, WallNow()).has_value());
}

}  // namespace
}  // namespace culvert::test
