#include "agent/agent.h"

#include <fmt/format.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "agent/tcp_service.h"
#include "base/log.h"
#include "base/status.h"
#include "config/client_options.h"
#include "config/credentials_policy.h"
#include "config/main.h"
#include "config/reload.h"
#include "config/service_manager.h"
#include "config/state_owner.h"
#include "config/status_socket.h"
#include "config/succession.h"
#include "config/user_list.h"
#include "culvert/client.h"
#include "culvert/error_code.h"
#include "culvert/provider.h"
#include "net/hand_over.h"
#include "net/process_signals.h"
#include "sdk/client_core.h"
#include "sdk/enrolment.h"
#include "sdk/renewal.h"

namespace culvert::agent {
namespace {

constexpr char kProgram[] = "culvert-agent";
// Why it is not registered is said again after this time.
constexpr Duration kRepeatTime = std::chrono::seconds(10);

using ParseAgain = config::ParseAgain<config::AgentConfig>;

// Lives on the loop.
class Agent {
  using State = config::ProcessStatus::State;

 public:
  Agent(Client& client, config::AgentConfig config, ParseAgain parse, net::Inheritance inheritance,
        std::promise<void>& done)
      : client_(client),
        config_(std::move(config)),
        parse_(std::move(parse)),
        allow_(std::make_shared<const config::AllowList>(config_.allow)),
        users_(UsersOf(config_)),
        dial_timeout_(config_.dial_timeout),
        done_(done),
        inheritance_(std::move(inheritance)),
        succession_(client.core().loop(), {.handed_over = [this] { HandleHandedOver(); },
                                           .taken_back = [this] { TakeBack(); },
                                           .reload = [this] { Reload(); }}),
        provider_(client, ProviderOptions()),
        signals_(client.core().loop(), config_.common.grace,
                 {[this] { Drain(); }, [this] { Abort(); }, [this] { Reload(); },
                  [this] { HandOver(); }}) {
    if (allow_->rules().empty()) {
      CULVERT_LOG(kWarning,
                  "nothing is allowed: add --allow HOST:PORT, or nothing can be reached through {}",
                  client_.core().options().name);
    }
    status_ = config::ServeStatus(client_.core().loop(), config_.common, kProgram,
                                  [this] { return Status(); });
    config::NotifyReady(StatusText());
  }

 private:
  std::string StatusText() const { return fmt::format("agent {}", client_.core().options().name); }

  Provider::Options ProviderOptions() {
    Provider::Options options;
    options.services["tcp"] = [this](const ServiceRequest& request) { return MakeTcp(request); };
    if (config_.plaintext) options.plaintext_services = {"tcp"};
    options.on_state = [this](const absl::Status& status, Duration retry_in) {
      LogState(status, retry_in);
    };
    options.on_channel_end = [](const ServiceRequest& request, const ChannelReport& report) {
      LogChannel(request, report);
    };
    return options;
  }

  static config::UserList UsersOf(const config::AgentConfig& config) {
    return config::UserList({config.users.begin(), config.users.end()});
  }

  absl::StatusOr<std::unique_ptr<Service>> MakeTcp(const ServiceRequest& request) {
    if (!users_.Allows(request.user, request.user_key)) {
      return ErrorStatus(ErrorCode::kDenied, fmt::format("{} is not on this agent's list of users",
                                                         Printable(request.user)));
    }
    absl::StatusOr<Target> target = ParseTarget(request.arg);
    if (!target.ok())
      return ErrorStatus(ErrorCode::kBadTarget, std::string(MessageOf(target.status())));
    return std::make_unique<TcpService>(client_.core().loop(), *std::move(target), allow_,
                                        dial_timeout_);
  }

  void LogState(const absl::Status& status, Duration retry_in) {
    // The new process has taken the registration over, and will be ready now.
    if (succession_.is_under_way() && absl::IsAborted(status)) return;
    if (status.ok()) {
      inheritance_.TellReady();
      CULVERT_LOG(kInfo, "registered as {}/{}", client_.core().options().project,
                  client_.core().options().name);
    } else if (!WasLogged(status)) {
      CULVERT_LOG(kWarning, "not registered, next try in {:.1f} s: {}", ToSeconds(retry_in),
                  Printable(MessageOf(status)));
    }
    if (status.ok()) logged_ = {};
  }

  // Tries come often, most of them with the same result.
  bool WasLogged(const absl::Status& status) {
    const MonotonicTime now = client_.core().loop().Now();
    if (status == logged_.status && now - logged_.at < kRepeatTime) return true;
    logged_ = {status, now};
    return false;
  }

  static void LogChannel(const ServiceRequest& request, const ChannelReport& report) {
    CULVERT_LOG(
        kInfo,
        "[channel {:x}] {} {} for {}{}{}: ended after {:.1f} s, {} bytes sent, {} received: {}",
        report.channel_id, Printable(request.service), Printable(request.arg),
        Printable(request.user), request.user.empty() ? "" : " at ", Printable(request.consumer),
        ToSeconds(report.duration), report.bytes_sent, report.bytes_received, report.reason);
  }

  config::ProcessStatus Status() {
    config::ProcessStatus status = config::ProcessStatusOf(client_.core(), MonotonicNow());
    status.command = "run";
    status.state = state_;
    status.is_agent = true;
    status.session_id = provider_.SessionId();
    status.channels = provider_.Channels();
    return status;
  }

  void HandOver() {
    if (state_ == State::kRunning) succession_.Start({});
  }

  void HandleHandedOver() {
    state_ = State::kHandedOver;
    provider_.Retire([this] { Finish(); });
  }

  // The new process may have registered in place of this one before it failed.
  void TakeBack() {
    if (state_ == State::kDraining || finished_) return;
    state_ = State::kRunning;
    provider_.TakeBack();
  }

  void Drain() {
    succession_.Cancel();
    state_ = State::kDraining;
    config::NotifyStopping();
    provider_.Drain([this] { Finish(); });
  }

  // What is still open is reset, and not left to wait for a path that will not come.
  void Abort() {
    provider_.Abort([this] { Finish(); });
  }

  void Finish() {
    if (!finished_) done_.set_value();
    finished_ = true;
  }

  void Reload() {
    client_.core().TakeUpIdentity();
    if (state_ != State::kRunning || succession_.PostponeReload()) return;
    config::Reload(
        parse_, [this](const config::AgentConfig& next) { Apply(next); },
        [this] { return StatusText(); });
  }

  // Only what can change without touching channels.
  void Apply(const config::AgentConfig& next) {
    config::ChangedForNextStart(config_, next).Log();
    allow_ = std::make_shared<const config::AllowList>(next.allow);
    users_ = UsersOf(next);
    dial_timeout_ = next.dial_timeout;
    client_.core().SetKeyChoice(next.rotate_key ? KeyChoice::kNew : KeyChoice::kSame);
    SetLogLevel(next.common.log_level);
    signals_.set_grace(next.common.grace);
    CULVERT_LOG(kInfo, "configuration reloaded, {} rules", allow_->rules().size());
  }

  Client& client_;
  const config::AgentConfig config_;  // as at the start
  const ParseAgain parse_;
  std::shared_ptr<const config::AllowList> allow_;
  config::UserList users_;
  Duration dial_timeout_;
  std::promise<void>& done_;
  State state_ = State::kRunning;
  struct {
    absl::Status status;  // OK: none since the last registration
    MonotonicTime at{};
  } logged_;
  bool finished_ = false;
  net::Inheritance inheritance_;
  config::Succession succession_;
  Provider provider_;
  std::unique_ptr<net::LineServer> status_;
  net::ProcessSignals signals_;
};

int RunEnroll(const config::AgentConfig& config) {
  EnrolmentRequest request;
  request.brokers = config::ToStrings(config.brokers);
  request.state_dir = config.common.state_dir;
  request.role = crypto::SpiffeId::Role::kAgent;
  request.replace = config.enrol.force;
  return config::RunEnroll(kProgram, config.common.state_dir, config.brokers, config.enrol,
                           [&](const std::string& token) {
                             request.token = token;
                             return Enroll(request);
                           });
}

int RunRenew(const config::AgentConfig& config) {
  if (const absl::Status usable = config::CheckIdentified(config); !usable.ok()) {
    config::PrintError(kProgram, usable);
    return config::kExitFailure;
  }
  return config::RunRenew(kProgram, config.common.state_dir, [&] {
    return RenewNow(config.common.state_dir, config::ToStrings(config.brokers),
                    config.rotate_key ? KeyChoice::kNew : KeyChoice::kSame);
  });
}

}  // namespace

int Run(const config::AgentConfig& config, const config::ParseAgain<config::AgentConfig>& parse) {
  SetLogLevel(config.common.log_level);
  if (config.command == config::AgentConfig::Command::kEnroll) return RunEnroll(config);
  if (config.command == config::AgentConfig::Command::kRenew) return RunRenew(config);
  if (config.command == config::AgentConfig::Command::kStatus) {
    return config::RunStatus(kProgram, config.common, config.json);
  }
  // Before the first thread.
  absl::StatusOr<net::Inheritance> inheritance = net::Inheritance::Take();
  if (!inheritance.ok()) {
    config::PrintError(kProgram, inheritance.status());
    return config::kExitFailure;
  }
  absl::Status usable = config::CheckCredentials(config);
  if (usable.ok() && !config.common.insecure) {
    usable = config::CheckOwnState(config.common.state_dir, "identity.pem");
  }
  absl::StatusOr<std::unique_ptr<Client>> client =
      usable.ok() ? Client::Create(config::ClientOptionsOf(config))
                  : absl::StatusOr<std::unique_ptr<Client>>(usable);
  if (!client.ok()) {
    config::PrintError(kProgram, client.status());
    return config::kExitUsage;
  }
  std::promise<void> done;
  std::unique_ptr<Agent> agent;
  (*client)->Run([&] {
    agent = std::make_unique<Agent>(**client, config, parse, *std::move(inheritance), done);
  });
  done.get_future().wait();
  (*client)->Run([&] { agent.reset(); });
  return 0;
}

}  // namespace culvert::agent
