#include "tests/support/test_broker.h"

#include <functional>
#include <utility>

#include "tests/support/catch.h"
#include "tests/support/eventually.h"

namespace culvert::test {

using broker::Broker;

TestBroker::TestBroker(const Broker::Limits& limits, uint16_t port, const Broker::Times& times,
                       const rpc::ServerOptions& server_options, std::optional<DataAt> data) {
  Start(limits, port, times, server_options, rpc::Credentials::Insecure(), data);
}

TestBroker::TestBroker(TestRealm& realm, Tamper tamper, uint16_t port, std::optional<DataAt> data)
    : gate_(std::make_unique<broker::Gate>(realm.pki().authority(), realm.records)),
      calls_(std::make_unique<broker::IdentityCalls>(realm.pki(), realm.records, kRegion)),
      tickets_(&realm.tickets),
      tamper_(std::move(tamper)) {
  Start({}, port, {.start_wait = Duration::zero()}, {},
        rpc::Credentials::ForServer(realm.pki().server_certificate_file(),
                                    realm.pki().server_key_file()),
        data);
}

TestBroker::TestBroker(TestRealm& realm, store::Store& store, broker::FetchKeys fetch)
    : records_(std::make_unique<broker::StoreRecords>(store)),
      stored_tickets_(
          std::make_unique<broker::Tickets>(&store.ticket_keys(), &store.killed_channels())),
      tickets_(stored_tickets_.get()) {
  thread_.Run([&] {
    jwts_ = std::make_unique<broker::JwtGate>(thread_.loop(), store, "culvert", std::move(fetch));
  });
  gate_ = std::make_unique<broker::Gate>(realm.pki().authority(), *records_, jwts_.get());
  calls_ = std::make_unique<broker::IdentityCalls>(realm.pki(), *records_, kRegion, jwts_.get());
  Start({}, 0, {.start_wait = Duration::zero()}, {},
        rpc::Credentials::ForServer(realm.pki().server_certificate_file(),
                                    realm.pki().server_key_file()));
}

void TestBroker::Start(const Broker::Limits& limits, uint16_t port, const Broker::Times& times,
                       const rpc::ServerOptions& server_options,
                       const rpc::Credentials& credentials, std::optional<DataAt> data) {
  if (data) StartData(*data);
  thread_.Run([&] {
    broker_ = std::make_unique<Broker>(
        thread_.loop(), kRegion, limits, times,
        Broker::Access{gate_.get(), calls_.get(),
                       [this](const broker::AuditEvent& event) { audit_.push_back(event); },
                       tickets_, nullptr, [this](const std::string&) { return quota_; }},
        data_.get());
  });
  auto server = rpc::Server::Start(
      thread_.loop(), credentials,
      [this](const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
        if (drops_ > 0) {
          --drops_;
          return;
        }
        if (tamper_) stream = tamper_(info, std::move(stream));
        broker_->AddStream(info, std::move(stream));
      },
      server_options);
  REQUIRE(server.ok());
  server_ = *std::move(server);
  absl::Status bound;
  thread_.Run([&] {
    auto listener =
        net::FdListener::Bind(thread_.loop(), *net::Address::FromLiteral("127.0.0.1", port),
                              [this](int fd, const net::Address&) { server_->Adopt(fd); });
    bound = listener.status();
    if (!bound.ok()) return;
    listener_ = *std::move(listener);
    port_ = listener_->address().port();
  });
  if (!bound.ok()) Stop();
  REQUIRE(bound.ok());
}

void TestBroker::StartData(const DataAt& at) {
  absl::Status listening;
  thread_.Run([&] {
    broker::DataPlane::Options options;
    options.advertised_port = at.told;
    auto started = broker::DataPlane::Start(thread_.loop(), options);
    listening = started.status();
    if (!started.ok()) return;
    data_ = *std::move(started);
    listening = data_->Listen(*net::Address::FromLiteral("127.0.0.1", at.port));
    if (listening.ok()) data_port_ = data_->addresses().front().port();
  });
  REQUIRE(listening.ok());
}

size_t TestBroker::pairs() {
  size_t now = 0;
  thread_.Run([&] { now = data_->pairs(); });
  return now;
}

bool TestBroker::WaitForPairs(size_t count) {
  return Eventually([&] { return pairs() == count; });
}

void TestBroker::Stop() {
  if (server_ == nullptr) return;
  thread_.Run([this] {
    listener_.reset();
    if (data_ != nullptr) data_->StopListening();
    broker_->EndAll();
  });
  server_->Shutdown(std::chrono::milliseconds(100));
  thread_.Run([this] {
    broker_.reset();
    data_.reset();
    jwts_.reset();
  });
  server_.reset();
}

void TestBroker::SetQuota(const store::Quota& quota) {
  Run([&](Broker& broker) {
    quota_ = quota;
    broker.ReloadQuotas();
  });
}

void TestBroker::Run(absl::AnyInvocable<void(Broker&) &&> task) {
  thread_.Run([&] { std::move(task)(*broker_); });
}

bool TestBroker::WaitForChannels(size_t count, Duration limit) {
  return WaitFor(&Broker::channels, count, limit);
}

bool TestBroker::WaitForSessions(size_t count) { return WaitFor(&Broker::sessions, count); }

bool TestBroker::WaitForSilentStreams(size_t count) {
  return WaitFor(&Broker::silent_streams, count);
}

std::vector<broker::AuditEvent> TestBroker::TakeAudit() {
  std::vector<broker::AuditEvent> events;
  Run([&](Broker&) { events = std::exchange(audit_, {}); });
  return events;
}

std::vector<broker::AuditEvent> TestBroker::TakeAudit(broker::AuditKind kind) {
  std::vector<broker::AuditEvent> events = TakeAudit();
  std::erase_if(events, [kind](const auto& event) { return event.kind != kind; });
  return events;
}

bool TestBroker::WaitFor(size_t (Broker::*number)() const, size_t count, Duration limit) {
  return Eventually(
      [&] {
        size_t now = 0;
        Run([&](Broker& broker) { now = (broker.*number)(); });
        return now == count;
      },
      limit);
}

}  // namespace culvert::test
