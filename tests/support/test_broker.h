// A whole broker in this process, on a loopback port.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "broker/data_plane.h"
#include "broker/jwt_gate.h"
#include "broker/store_records.h"
#include "broker/tickets.h"
#include "net/listener.h"
#include "net/loop_thread.h"
#include "rpc/server.h"
#include "store/quota_table.h"
#include "tests/support/test_realm.h"

namespace culvert::test {

// For the test thread.
class TestBroker {
 public:
  static constexpr char kRegion[] = "here";
  // Puts itself between the broker and a stream. Runs on the loop.
  using Tamper = std::function<std::unique_ptr<rpc::Stream>(const rpc::StreamInfo&,
                                                            std::unique_ptr<rpc::Stream>)>;

  // A data port, at 127.0.0.1: the kernel chooses which. `told`: what clients hear that it is.
  struct DataAt {
    uint16_t port = 0;
    uint16_t told = 0;
  };

  // Port 0: the kernel chooses. Another one is bound again, for a broker that comes back.
  // Unlike a real one it says "unknown" at once, see Broker::Times.
  explicit TestBroker(const broker::Broker::Limits& limits = {}, uint16_t port = 0,
                      const broker::Broker::Times& times = {.start_wait = Duration::zero()},
                      const rpc::ServerOptions& server_options = {},
                      std::optional<DataAt> data = std::nullopt);
  // With TLS and identities of `realm`, which outlives it.
  explicit TestBroker(TestRealm& realm, Tamper tamper = {}, uint16_t port = 0,
                      std::optional<DataAt> data = std::nullopt);
  // The same with what `store` knows instead of the realm's records, and with JSON Web Tokens.
  TestBroker(TestRealm& realm, store::Store& store, broker::FetchKeys fetch);
  ~TestBroker() { Stop(); }
  TestBroker(const TestBroker&) = delete;
  TestBroker& operator=(const TestBroker&) = delete;

  // Inside Run; null without a data port.
  broker::DataPlane* data() { return data_.get(); }
  uint16_t data_port() const { return data_port_; }
  // Pairs of connections that are joined.
  size_t pairs();
  bool WaitForPairs(size_t count);
  // Inside Run; null without a store.
  broker::JwtGate* jwts() { return jwts_.get(); }
  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // Of every project.
  void SetQuota(const store::Quota& quota);
  // Drops that many of the next streams: their clients see CANCELLED.
  void DropStreams(int count) { drops_ = count; }
  // Ends every stream with UNAVAILABLE and closes the port.
  void Stop();
  // Runs `task` with the broker on its loop and waits.
  void Run(absl::AnyInvocable<void(broker::Broker&) &&> task);
  // Waits, at most 5 s or `limit`, until the broker holds this many of them.
  bool WaitForChannels(size_t count, Duration limit = std::chrono::seconds(5));
  bool WaitForSessions(size_t count);
  bool WaitForSilentStreams(size_t count);
  // What was written to the audit log since the last call, or those of `kind` among it.
  std::vector<broker::AuditEvent> TakeAudit();
  std::vector<broker::AuditEvent> TakeAudit(broker::AuditKind kind);

 private:
  void Start(const broker::Broker::Limits& limits, uint16_t port,
             const broker::Broker::Times& times, const rpc::ServerOptions& server_options,
             const rpc::Credentials& credentials, std::optional<DataAt> data = std::nullopt);
  void StartData(const DataAt& at);
  bool WaitFor(size_t (broker::Broker::*number)() const, size_t count,
               Duration limit = std::chrono::seconds(5));

  net::LoopThread thread_;
  std::unique_ptr<broker::StoreRecords> records_;  // null without a store
  std::unique_ptr<broker::JwtGate> jwts_;          // on the loop
  std::unique_ptr<broker::Gate> gate_;             // null without identities
  std::unique_ptr<broker::IdentityCalls> calls_;
  std::unique_ptr<broker::Tickets> stored_tickets_;  // null without a store
  broker::Tickets* tickets_ = nullptr;               // null without identities
  std::vector<broker::AuditEvent> audit_;            // on the loop
  store::Quota quota_;                               // on the loop
  std::unique_ptr<broker::DataPlane> data_;          // on the loop; null without a data port
  uint16_t data_port_ = 0;
  std::unique_ptr<broker::Broker> broker_;  // on the loop
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<net::FdListener> listener_;  // on the loop
  uint16_t port_ = 0;
  std::atomic<int> drops_ = 0;
  Tamper tamper_;
};

}  // namespace culvert::test
