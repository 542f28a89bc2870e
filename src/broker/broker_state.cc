#include "broker/broker_state.h"

#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

// How often the broker's own certificate is looked at, which lives for days at least.
constexpr Duration kCertificateTime = std::chrono::hours(1);

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerState>> BrokerState::Open(net::EventLoop& loop,
                                                               const config::BrokerConfig& config) {
  const std::string& state_dir = config.common.state_dir;
  // The store first: its lock keeps a second process from making an authority too.
  CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<store::Store> store,
                           store::Store::Open(state_dir, WallNow()));
  CULVERT_ASSIGN_OR_RETURN(
      std::unique_ptr<Pki> pki,
      Pki::Open({.state_dir = state_dir, .authority_file = config.ca_cert}, WallNow()));
  CULVERT_RETURN_IF_ERROR(pki->KeepServerCertificate(WallNow()));
  CULVERT_ASSIGN_OR_RETURN(AuditFile audit, AuditFile::Open(config.audit_file()));
  std::unique_ptr<BrokerState> state(
      new BrokerState(loop, config, std::move(store), std::move(pki), std::move(audit)));
  CULVERT_RETURN_IF_ERROR(state->OpenProjects());
  return state;
}

absl::Status BrokerState::OpenProjects() {
  CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<store::ProjectStore> projects,
                           store::ProjectStore::Open(state_dir_));
  // Its sessions and channels end because its principals may not go on.
  ProjectCalls::Hooks hooks{[this] { HandleChange(AdminChange::kJwts); },
                            [this](const AuditEvent& event) { audit_.Write(event); },
                            [this](const Principal& who) { return gate_.MayGoOn(who); }};
  CULVERT_ASSIGN_OR_RETURN(
      projects_, ProjectCalls::Make(loop_, *store_, std::move(projects), std::move(hooks)));
  return absl::OkStatus();
}

BrokerState::BrokerState(net::EventLoop& loop, const config::BrokerConfig& config,
                         std::unique_ptr<store::Store> store, std::unique_ptr<Pki> pki,
                         AuditFile audit)
    : loop_(loop),
      state_dir_(config.common.state_dir),
      store_(std::move(store)),
      pki_(std::move(pki)),
      audit_(loop, std::move(audit)),
      records_(*store_),
      jwts_(loop, *store_, config.jwt_audience),
      gate_(pki_->authority(), records_, &jwts_),
      calls_(*pki_, records_, config.region, &jwts_),
      tickets_(&store_->ticket_keys(), &store_->killed_channels()),
      admin_(*store_, {[this] { return authority_fingerprint(); },
                       [this](AdminChange change) { HandleChange(change); },
                       [this](const AuditEvent& event) {
                         audit_.Write(event);
                         audit_.Flush();
                       },
                       config.common.state_dir, Channels(),
                       [this](const std::string& project) { return QuotaUseOf(project); }}),
      certificate_timer_(loop) {
  certificate_timer_.Start(kCertificateTime, [this] { KeepCertificate(); });
}

rpc::Credentials BrokerState::credentials() const {
  return rpc::Credentials::ForServer(pki_->server_certificate_file(), pki_->server_key_file());
}

absl::StatusOr<std::unique_ptr<WebIdentity>> BrokerState::MakeWebIdentity() const {
  return WebIdentity::Open(state_dir_, pki_->server_certificate_file());
}

absl::Status BrokerState::Serve(Broker& broker) {
  broker_ = &broker;
  jwts_.set_on_keys_changed([this] {
    if (broker_ != nullptr) broker_->CheckPermissions();
  });
  CULVERT_ASSIGN_OR_RETURN(
      server_, AdminServer::Listen(loop_, AdminSocketPath(state_dir_), admin_, geteuid()));
  return absl::OkStatus();
}

void BrokerState::StopServing() {
  server_.reset();
  broker_ = nullptr;
}

AdminChannels BrokerState::Channels() {
  return {
      [this](const std::string& project) {
        return broker_ != nullptr ? broker_->ListChannels(project) : std::vector<LiveChannel>();
      },
      [this](uint64_t id) { return broker_ != nullptr ? broker_->KillChannel(id) : std::nullopt; }};
}

std::optional<QuotaUse> BrokerState::QuotaUseOf(const std::string& project) {
  if (broker_ == nullptr) return std::nullopt;
  return broker_->QuotaUseOf(project);
}

void BrokerState::HandleChange(AdminChange change) {
  if (change == AdminChange::kJwts) jwts_.Reload();
  // The first token of a project makes it.
  if (change == AdminChange::kTokens) projects_->HandleChanges();
  // With a project its quota goes.
  const bool quotas = change == AdminChange::kQuotas || change == AdminChange::kJwts;
  if (quotas && broker_ != nullptr) broker_->ReloadQuotas();
  const bool permissions = change == AdminChange::kPolicy || change == AdminChange::kRevocations ||
                           change == AdminChange::kJwts;
  if (permissions && broker_ != nullptr) broker_->CheckPermissions();
}

void BrokerState::KeepCertificate() {
  const absl::Status kept = pki_->KeepServerCertificate(WallNow());
  if (!kept.ok()) CULVERT_LOG(kError, "renew the broker's certificate: {}", MessageOf(kept));
  certificate_timer_.Start(kCertificateTime, [this] { KeepCertificate(); });
}

}  // namespace culvert::broker
