// What a broker puts into its audit log while a Provider and a Consumer use it.
#include "base/status.h"
#include "tests/integration/sdk_secure_fixture.h"
#include "tests/support/loopback.h"
#include "tests/support/raw_client.h"

namespace culvert::test {
namespace {

using broker::AuditEvent;
using broker::AuditKind;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

constexpr char kAlice[] = "spiffe://culvert.internal/project/default/user/alice";
constexpr char kEdge[] = "spiffe://culvert.internal/project/default/agent/edge-1";

std::string KeyIn(const std::string& state_dir) {
  return crypto::LoadIdentity(state_dir)->key.public_key().id();
}

std::vector<std::string> KindsOf(const std::vector<AuditEvent>& events) {
  std::vector<std::string> kinds;
  for (const AuditEvent& event : events) kinds.emplace_back(AuditKindName(event.kind));
  return kinds;
}

TEST_CASE("Audit log says who registered, opened, carried how much, and left", "[audit]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("echo");
  outlet->Say(Pattern(10'000));
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  REQUIRE(sdk.broker.WaitForChannels(0));
  sdk.provider.provider.reset();
  REQUIRE(sdk.broker.WaitForSessions(0));

  const std::vector<AuditEvent> events = sdk.broker.TakeAudit();
  REQUIRE(KindsOf(events) == std::vector<std::string>{"register", "open", "close", "unregister"});
  const auto& [registered, opened, closed, left] =
      std::tie(events[0], events[1], events[2], events[3]);
  for (const AuditEvent& event : events) {
    CHECK(event.project == "default");
    CHECK(event.agent == "edge-1");
    CHECK_THAT(event.address, StartsWith("127.0.0.1"));
  }
  CHECK(registered.principal == kEdge);
  CHECK(left.principal == kEdge);
  CHECK(left.duration.has_value());
  CHECK(opened.principal == kAlice);
  CHECK(opened.key == KeyIn(sdk.alice));
  CHECK(opened.service == "echo");
  CHECK(opened.target == "an arg");
  CHECK(closed.channel == opened.channel);
  CHECK(closed.code.empty());
  CHECK(closed.bytes_sent > 10'000);  // the handshake and the seals too
  CHECK(closed.bytes_received > 10'000);
  CHECK(closed.duration > Duration::zero());
}

TEST_CASE("Audit log says who was refused by the policy, and what", "[audit]") {
  SecureFixture sdk;
  sdk.broker.Run([&](broker::Broker&) { sdk.realm.records.denied = true; });
  CHECK_FALSE(sdk.consumer.Connect("echo")->WaitForClose().ok());
  const auto denied = sdk.broker.TakeAudit(AuditKind::kDeny);
  REQUIRE(denied.size() == 1);
  CHECK(denied[0].principal == kAlice);
  CHECK(denied[0].key == KeyIn(sdk.alice));
  CHECK(denied[0].agent == "edge-1");
  CHECK(denied[0].service == "echo");
  CHECK(denied[0].target == "an arg");
  CHECK(denied[0].code == "PERMISSION_DENIED");
  CHECK_THAT(denied[0].reason, Contains("no rule allows it"));
}

TEST_CASE("Audit log names whose key is revoked, and whose certificate has expired", "[audit]") {
  TestRealm realm;
  TestBroker broker(realm);
  const auto open_as = [&](const crypto::Identity& identity) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = realm.pki().authority().Pem();
    options.pem_private_key = identity.key.Pem();
    options.pem_cert_chain = identity.certificate.Pem();
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride(rpc::kBrokerName);
    RawClient<V1> client(
        grpc::CreateCustomChannel(broker.address(), grpc::SslCredentials(options), arguments));
    return client.Open("edge-1", kCapable).End().error_code();
  };
  const crypto::Identity revoked = realm.Issue(crypto::SpiffeId::Role::kUser, "alice");
  broker.Run([&](broker::Broker&) { realm.records.revoked.insert(revoked.key.public_key().id()); });
  CHECK(open_as(revoked) == grpc::StatusCode::UNAUTHENTICATED);
  // More than the leeway ago, and after the authority was made.
  const crypto::Identity expired =
      realm.Issue(crypto::SpiffeId::Role::kUser, "alice", "default", -299s, -301s);
  CHECK(open_as(expired) == grpc::StatusCode::UNAUTHENTICATED);
  const auto denied = broker.TakeAudit(AuditKind::kDeny);
  REQUIRE(denied.size() == 2);
  for (const AuditEvent& event : denied) CHECK(event.principal == kAlice);
  CHECK(denied[0].key == revoked.key.public_key().id());
  CHECK(denied[1].key == expired.key.public_key().id());
  CHECK_THAT(denied[1].reason, Contains("expired"));
}

TEST_CASE("Audit log says which channel the policy has cut, and what it had carried", "[audit]") {
  SecureFixture sdk;
  auto outlet = sdk.consumer.Connect("probe");
  outlet->Say("hello");
  REQUIRE(sdk.provider.Service(0)->WaitForBytes("hello"));
  sdk.broker.Run([&](broker::Broker& broker) {
    sdk.realm.records.denied = true;
    broker.CheckPermissions();
  });
  CHECK_FALSE(outlet->WaitForClose().ok());
  const auto denied = sdk.broker.TakeAudit(AuditKind::kDeny);
  REQUIRE(denied.size() == 1);
  CHECK(denied[0].principal == kAlice);
  CHECK(!denied[0].channel.empty());
  CHECK(denied[0].bytes_sent > 0);
  CHECK_THAT(denied[0].reason, Contains("no rule allows it"));
}

TEST_CASE("Audit log says what the agent has refused, and why", "[audit]") {
  TestRealm realm;
  TestBroker broker(realm);
  std::map<std::string, ServiceFactory> services;
  services["strict"] = [](const ServiceRequest&) -> absl::StatusOr<std::unique_ptr<Service>> {
    return ErrorStatus(ErrorCode::kDenied, "alice is not on the list");
  };
  TestProvider provider(SecureOptions(broker.address(), realm.Agent("edge-1")),
                        std::move(services));
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(SecureOptions(broker.address(), realm.User("alice")));
  CHECK_FALSE(consumer.Connect("strict")->WaitForClose().ok());
  REQUIRE(broker.WaitForChannels(0));
  const auto denied = broker.TakeAudit(AuditKind::kDeny);
  REQUIRE(denied.size() == 1);
  CHECK(denied[0].service == "strict");
  CHECK(denied[0].code == "PERMISSION_DENIED");
  CHECK_THAT(denied[0].reason, Contains("alice is not on the list"));
}

TEST_CASE("Audit log says which opening was allowed and came to nothing", "[audit]") {
  SecureFixture sdk;
  sdk.provider.provider.reset();
  REQUIRE(sdk.broker.WaitForSessions(0));
  CHECK_FALSE(sdk.consumer.Connect("echo", 1ms)->WaitForClose().ok());
  REQUIRE(sdk.broker.WaitForChannels(0));
  CHECK(sdk.broker.TakeAudit(AuditKind::kFail).size() == 1);
}

TEST_CASE("Audit log is not flooded by who is refused", "[audit]") {
  TestRealm realm;
  TestBroker broker(realm);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = realm.pki().authority().Pem();
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(rpc::kBrokerName);
  RawClient<V1> nobody(
      grpc::CreateCustomChannel(broker.address(), grpc::SslCredentials(options), arguments));
  constexpr size_t kTries = 200;
  for (size_t i = 0; i < kTries; ++i) {
    CHECK(nobody.Open("edge-1", kCapable).End().error_code() == grpc::StatusCode::UNAUTHENTICATED);
  }
  const auto denied = broker.TakeAudit(AuditKind::kDeny);
  CHECK(denied.size() >= 100);
  CHECK(denied.size() < kTries);
  CHECK(denied[0].principal.empty());
  CHECK(denied[0].code == "UNAUTHENTICATED");
  // Who is recorded next says how many were not.
  CHECK(Eventually([&] {
    nobody.Open("edge-1", kCapable).End();
    for (const AuditEvent& event : broker.TakeAudit(AuditKind::kDeny)) {
      if (event.reason.find("more not recorded") != std::string::npos) return true;
    }
    return false;
  }));
}

TEST_CASE("Audit log is not flooded by openings that come to nothing", "[audit]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  constexpr size_t kTries = 200;
  for (size_t i = 0; i < kTries; ++i) {
    CHECK(client.Open("nobody", kCapable).End().error_code() == grpc::StatusCode::NOT_FOUND);
  }
  const size_t recorded = broker.TakeAudit(AuditKind::kFail).size();
  CHECK(recorded >= 100);
  CHECK(recorded < kTries);
}

TEST_CASE("Audit log is not flooded by an agent that comes and goes", "[audit]") {
  TestBroker broker;
  RawClient<V1> client(broker.address());
  constexpr size_t kTimes = 150;
  for (size_t i = 0; i < kTimes; ++i) {
    RawProvider<V1> provider(client, "edge-1", kCapable);
    provider.listen.FinishWriting();
    CHECK(provider.listen.End().ok());
  }
  REQUIRE(broker.WaitForSessions(0));
  const size_t recorded = broker.TakeAudit().size();
  CHECK(recorded >= 100);
  CHECK(recorded < 2 * kTimes);
  // Another agent's registration is recorded all the same.
  const RawProvider<V1> other(client, "edge-2", kCapable);
  CHECK(broker.TakeAudit(AuditKind::kRegister).size() == 1);
}

}  // namespace
}  // namespace culvert::test
