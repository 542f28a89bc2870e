// Identities that came of a login.
#include "crypto/identity.h"
#include "sdk/client_core.h"
#include "tests/integration/sdk_secure_fixture.h"

namespace culvert::test {
namespace {

using Role = crypto::SpiffeId::Role;
using std::chrono::seconds;

TEST_CASE("Service account opens an encrypted channel as a user does", "[sdk]") {
  TestRealm realm;
  TestBroker broker(realm);
  TestProvider provider(SecureOptions(broker.address(), realm.Agent("edge-1")));
  REQUIRE(provider.WaitForRegistrations(1));
  TestConsumer consumer(
      SecureOptions(broker.address(), realm.Keep(realm.Issue(Role::kServiceAccount, "ci"))));
  auto outlet = consumer.Connect("probe");
  outlet->Say("hello");
  auto service = provider.Service(0);
  CHECK(service->WaitForBytes("hello"));
}

TEST_CASE("Identity of a login is not renewed, and another login takes its place", "[sdk]") {
  TestRealm realm;
  realm.records.may_renew = absl::FailedPreconditionError("log in again");
  TestBroker broker(realm);
  // To be renewed in two seconds.
  const std::string directory =
      realm.Keep(realm.Issue(Role::kServiceAccount, "ci", "default", seconds(-18), seconds(12)));
  const TestConsumer consumer(SecureOptions(broker.address(), directory));
  const auto refused = [&] {
    int count = 0;
    broker.Run([&](broker::Broker&) { count = realm.records.refused_renewals; });
    return count;
  };
  REQUIRE(Eventually([&] { return refused() == 1; }));
  const crypto::Identity next = realm.Issue(Role::kServiceAccount, "ci");
  REQUIRE(crypto::SaveIdentity(directory, next).ok());
  consumer.client->Run([&] { consumer.client->core().TakeUpIdentity(); });
  CHECK(Eventually([&] {
    std::string serial;
    consumer.client->Run(
        [&] { serial = consumer.client->core().identity()->identity().certificate.serial(); });
    return serial == next.certificate.serial();
  }));
  CHECK(refused() == 1);
}

}  // namespace
}  // namespace culvert::test
