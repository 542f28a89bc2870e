// A Provider and a Consumer whose channels have stitched paths, at a broker with a data port.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "culvert/error_code.h"
#include "tests/integration/sdk_secure_fixture.h"
#include "tests/support/tcp_relay.h"

namespace culvert::test {

// A broker without identities that can die and come back. `told` is the data port that clients are
// told; 0: its own.
struct PlainStitchWorld {
  explicit PlainStitchWorld(uint16_t told) : told_(told) { Begin(); }
  void Kill() { broker.reset(); }
  void Begin() {
    broker.emplace(broker::Broker::Limits{}, port_,
                   broker::Broker::Times{.start_wait = Duration::zero()}, rpc::ServerOptions{},
                   TestBroker::DataAt{.port = 0, .told = told_});
    port_ = broker->port();
  }
  ClientOptions Agent() { return InsecureOptions({broker->address()}, "edge-1"); }
  ClientOptions User() { return InsecureOptions({broker->address()}, "a-consumer"); }

  std::optional<TestBroker> broker;

 private:
  const uint16_t told_;
  uint16_t port_ = 0;
};

struct EncryptedStitchWorld {
  explicit EncryptedStitchWorld(uint16_t told) : told_(told) { Begin(); }
  void Kill() { broker.reset(); }
  void Begin() {
    broker.emplace(realm, TestBroker::Tamper(), port_,
                   TestBroker::DataAt{.port = 0, .told = told_});
    port_ = broker->port();
  }
  ClientOptions Agent() { return SecureOptions(broker->address(), agent); }
  ClientOptions User() { return SecureOptions(broker->address(), user); }

  TestRealm realm;
  std::optional<TestBroker> broker;
  const std::string agent = realm.Agent("edge-1");
  const std::string user = realm.User("alice");

 private:
  const uint16_t told_;
  uint16_t port_ = 0;
};

enum class DataWay { kDirect, kRelayed };

// Declared first: what the world's broker tells.
struct DataRelay {
  TcpRelay relay;
};

template <typename World, DataWay kWay>
struct StitchedFixture : DataRelay, World {
  explicit StitchedFixture(std::map<std::string, ServiceFactory> services = {})
      : World(kWay == DataWay::kRelayed ? relay.port() : uint16_t{0}),
        provider(this->Agent(), std::move(services)),
        consumer(this->User()) {
    relay.LeadTo(this->broker->data_port());
    REQUIRE(provider.WaitForRegistrations(1));
  }
  void Begin() {
    World::Begin();
    relay.LeadTo(this->broker->data_port());
  }

  std::shared_ptr<Probe> Open(const std::string& service) {
    auto outlet = consumer.Connect(service);
    REQUIRE(outlet->Wait([](const Probe& probe) { return probe.opened; }));
    return outlet;
  }
  // Whether the one channel of the consumer has a stitched path now.
  bool IsStitched() const {
    const std::vector<ChannelStatus> channels = consumer.consumer->Channels();
    return channels.size() == 1 && channels[0].stitched && !channels[0].suspended;
  }
  // Opens and ends channels until both ends have connections parked.
  void Prime() {
    const bool parked = Eventually([this] {
      auto outlet = Open("echo");
      const bool stitched = IsStitched();
      outlet->SayEnd();
      REQUIRE(outlet->WaitForClose().ok());
      REQUIRE(WaitForNone());
      return stitched;
    });
    REQUIRE(parked);
    // What was taken for the last one is replaced: the next one finds another in any case.
  }
  bool WaitForNone() {
    return Eventually([this] { return consumer.consumer->Channels().empty(); });
  }
  // A channel that began on a stitched path.
  std::shared_ptr<Probe> OpenStitched(const std::string& service) {
    Prime();
    auto outlet = Open(service);
    REQUIRE(IsStitched());
    return outlet;
  }
  // Of the newest channel.
  std::shared_ptr<Probe> NewestService() {
    const std::lock_guard lock(provider.mutex);
    REQUIRE(!provider.probes.empty());
    return provider.probes.back();
  }
  uint32_t Resumes() const {
    const std::vector<ChannelStatus> channels = consumer.consumer->Channels();
    return channels.size() == 1 ? channels[0].resumes : 0;
  }
  ChannelReport LastReport() {
    const std::lock_guard lock(consumer.mutex);
    REQUIRE(!consumer.reports.empty());
    return consumer.reports.back();
  }

  TestProvider provider;
  TestConsumer consumer;
};

using PlainStitched = StitchedFixture<PlainStitchWorld, DataWay::kDirect>;
using EncryptedStitched = StitchedFixture<EncryptedStitchWorld, DataWay::kDirect>;
using PlainRelayed = StitchedFixture<PlainStitchWorld, DataWay::kRelayed>;
using EncryptedRelayed = StitchedFixture<EncryptedStitchWorld, DataWay::kRelayed>;

}  // namespace culvert::test
