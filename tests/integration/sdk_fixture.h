// A Provider and a Consumer, each with a Client of its own, at a broker in this process.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "culvert/consumer.h"
#include "culvert/provider.h"
#include "tests/support/catch.h"
#include "tests/support/eventually.h"
#include "tests/support/probe.h"
#include "tests/support/test_broker.h"

namespace culvert::test {

using namespace std::chrono_literals;

inline ClientOptions InsecureOptions(const std::vector<std::string>& brokers,
                                     const std::string& name) {
  ClientOptions options;
  options.brokers = brokers;
  options.name = name;
  options.insecure = true;
  return options;
}

inline std::unique_ptr<Client> MakeClient(const ClientOptions& options) {
  auto client = Client::Create(options);
  REQUIRE(client.ok());
  return *std::move(client);
}

// A Consumer, and what its channels came to.
class TestConsumer {
 public:
  explicit TestConsumer(const std::string& broker) : TestConsumer(std::vector{broker}) {}
  explicit TestConsumer(const std::vector<std::string>& brokers)
      : TestConsumer(InsecureOptions(brokers, "a-consumer")) {}
  explicit TestConsumer(const ClientOptions& options)
      : client(MakeClient(options)), consumer(std::in_place, *client) {}

  std::shared_ptr<Probe> Connect(const std::string& service,
                                 std::chrono::nanoseconds open_timeout = 10s) {
    auto probe = std::make_shared<Probe>(*client);
    Connect(service, probe, open_timeout);
    return probe;
  }
  void Connect(const std::string& service, const std::shared_ptr<Probe>& probe,
               std::chrono::nanoseconds open_timeout = 10s) {
    consumer->Connect({"edge-1", service, "an arg", open_timeout},
                      std::make_unique<ProbeOutlet>(probe), [this](const ChannelReport& report) {
                        const std::lock_guard lock(mutex);
                        reports.push_back(report);
                      });
  }
  // Waits until `count` channels have ended.
  bool WaitForReports(size_t count) {
    return Eventually([&] {
      const std::lock_guard lock(mutex);
      return reports.size() >= count;
    });
  }

  std::unique_ptr<Client> client;
  std::mutex mutex;
  std::vector<ChannelReport> reports;
  std::optional<Consumer> consumer;
};

// A Provider of "probe" (the test speaks), "echo", and what a test adds.
class TestProvider {
 public:
  explicit TestProvider(const std::string& broker,
                        std::map<std::string, ServiceFactory> services = {})
      : TestProvider(InsecureOptions({broker}, "edge-1"), std::move(services)) {}
  explicit TestProvider(const ClientOptions& client_options,
                        std::map<std::string, ServiceFactory> services = {},
                        std::set<std::string> plaintext = {})
      : client(MakeClient(client_options)) {
    Provider::Options options;
    options.plaintext_services = std::move(plaintext);
    options.services = std::move(services);
    options.services["probe"] = [this](const ServiceRequest& request) {
      return NewService(request, false);
    };
    options.services["echo"] = [this](const ServiceRequest& request) {
      return NewService(request, true);
    };
    options.on_state = [this](const absl::Status& state, std::chrono::nanoseconds) {
      const std::lock_guard lock(mutex);
      states.push_back(state);
    };
    options.on_channel_end = [this](const ServiceRequest&, const ChannelReport& report) {
      const std::lock_guard lock(mutex);
      reports.push_back(report);
    };
    provider.emplace(*client, std::move(options));
  }

  // Waits until it has registered `count` times.
  bool WaitForRegistrations(size_t count) {
    return Eventually([&] {
      const std::lock_guard lock(mutex);
      size_t registrations = 0;
      for (const absl::Status& state : states) {
        if (state.ok()) ++registrations;
      }
      return registrations >= count;
    });
  }
  bool WaitForReports(size_t count) {
    return Eventually([&] {
      const std::lock_guard lock(mutex);
      return reports.size() >= count;
    });
  }
  // The probe of the `index`th service that was made; waits for it.
  std::shared_ptr<Probe> Service(size_t index) {
    REQUIRE(Eventually([&] {
      const std::lock_guard lock(mutex);
      return probes.size() > index;
    }));
    return probes[index];
  }

  std::unique_ptr<Client> client;
  std::mutex mutex;
  std::vector<absl::Status> states;
  std::vector<ServiceRequest> requests;
  std::vector<ChannelReport> reports;
  std::vector<std::shared_ptr<Probe>> probes;
  std::optional<Provider> provider;

 private:
  absl::StatusOr<std::unique_ptr<culvert::Service>> NewService(const ServiceRequest& request,
                                                               bool echoing) {
    auto probe = std::make_shared<Probe>(*client);
    probe->echoing = echoing;
    const std::lock_guard lock(mutex);
    requests.push_back(request);
    probes.push_back(probe);
    return std::make_unique<ProbeService>(probe, absl::OkStatus());
  }
};

// All three, registered.
struct SdkFixture {
  TestBroker broker;
  TestProvider provider;
  TestConsumer consumer;

  explicit SdkFixture(std::map<std::string, ServiceFactory> services = {})
      : provider(broker.address(), std::move(services)), consumer(broker.address()) {
    REQUIRE(provider.WaitForRegistrations(1));
  }
};

// Waits for something that has a Drain.
template <typename Drainable>
bool DrainNow(Drainable& drainable, std::chrono::seconds limit = 10s) {
  auto drained = std::make_shared<std::promise<void>>();
  auto done = drained->get_future();
  drainable.Drain([drained] { drained->set_value(); });
  return done.wait_for(limit) == std::future_status::ready;
}

}  // namespace culvert::test
