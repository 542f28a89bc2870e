// What a broker with identities has open in its state directory: the store, the authority, the
// audit log, and the socket of administrators.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "broker/admin.h"
#include "broker/admin_server.h"
#include "broker/audit_log.h"
#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/identity_calls.h"
#include "broker/jwt_gate.h"
#include "broker/pki.h"
#include "broker/store_records.h"
#include "broker/tickets.h"
#include "broker/web_port.h"
#include "config/broker_config.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/credentials.h"
#include "store/store.h"

namespace culvert::broker {

// Confined to the control loop, on which it also blocks for some milliseconds at a change. Outlives
// the Broker.
class BrokerState {
 public:
  // Makes what is not there. UNAVAILABLE if another process has the store.
  static absl::StatusOr<std::unique_ptr<BrokerState>> Open(net::EventLoop& loop,
                                                           const config::BrokerConfig& config);

  BrokerAccess access() {
    return {&gate_,
            &calls_,
            [this](const AuditEvent& event) { audit_.Write(event); },
            &tickets_,
            projects_.get(),
            [this](const std::string& project) { return store_->quotas().Of(project); }};
  }
  rpc::Credentials credentials() const;
  absl::StatusOr<std::unique_ptr<WebIdentity>> MakeWebIdentity() const;
  std::string authority_fingerprint() const { return pki_->authority().Fingerprint(); }
  AuditLog& audit() { return audit_; }

  // Lets administrators in. `broker` hears of what they change, until StopServing.
  absl::Status Serve(Broker& broker);
  void StopServing();

 private:
  BrokerState(net::EventLoop& loop, const config::BrokerConfig& config,
              std::unique_ptr<store::Store> store, std::unique_ptr<Pki> pki, AuditFile audit);
  absl::Status OpenProjects();
  void HandleChange(AdminChange change);
  void KeepCertificate();
  AdminChannels Channels();
  std::optional<QuotaUse> QuotaUseOf(const std::string& project);

  net::EventLoop& loop_;
  const std::string state_dir_;
  const std::unique_ptr<store::Store> store_;
  const std::unique_ptr<Pki> pki_;
  AuditLog audit_;
  StoreRecords records_;
  JwtGate jwts_;
  Gate gate_;
  IdentityCalls calls_;
  Tickets tickets_;
  std::unique_ptr<ProjectCalls> projects_;
  Admin admin_;
  Broker* broker_ = nullptr;  // while it serves
  std::unique_ptr<AdminServer> server_;
  net::Timer certificate_timer_;
};

}  // namespace culvert::broker
