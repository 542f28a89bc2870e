// A Provider "edge-1" and a Consumer "alice" with identities, at a broker with TLS.
#pragma once

#include "tests/integration/sdk_fixture.h"
#include "tests/support/test_realm.h"

namespace culvert::test {

inline ClientOptions SecureOptions(const std::string& broker, const std::string& state_dir) {
  ClientOptions options;
  options.brokers = {broker};
  options.state_dir = state_dir;
  return options;
}

struct SecureFixture {
  TestRealm realm;
  TestBroker broker{realm};
  TestProvider provider{SecureOptions(broker.address(), realm.Agent("edge-1"))};
  std::string alice = realm.User("alice");
  TestConsumer consumer{SecureOptions(broker.address(), alice)};

  SecureFixture() { REQUIRE(provider.WaitForRegistrations(1)); }
};

}  // namespace culvert::test
