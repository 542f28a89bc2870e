#include "broker/serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "broker/announcement.h"
#include "broker/broker.h"
#include "broker/broker_state.h"
#include "broker/connection_table.h"
#include "broker/data_listen.h"
#include "broker/data_plane.h"
#include "broker/log_throttle.h"
#include "broker/program_name.h"
#include "broker/web_port.h"
#include "config/changed_keys.h"
#include "config/credentials_policy.h"
#include "config/main.h"
#include "config/reload.h"
#include "config/service_manager.h"
#include "config/state_owner.h"
#include "net/listener.h"
#include "net/loop_thread.h"
#include "net/process_signals.h"
#include "rpc/server.h"

namespace culvert::broker {
namespace {

using ParseAgain = config::ParseAgain<config::BrokerConfig>;

Broker::Limits LimitsOf(const config::BrokerConfig& config) {
  return {config.max_streams_per_address, config.max_pending_per_address};
}

rpc::ServerOptions ServerOptionsOf(const config::BrokerConfig& config) {
  rpc::ServerOptions options;
  options.memory = config.common.memory_limit;
  constexpr uint32_t kMost = std::numeric_limits<int>::max() - rpc::kStreamsBeyondLimit;
  options.streams_per_connection =
      static_cast<int>(std::min(config.max_streams_per_address, kMost)) + rpc::kStreamsBeyondLimit;
  return options;
}

config::ChangedKeys ChangedForNextStart(const config::BrokerConfig& now,
                                        const config::BrokerConfig& next) {
  config::ChangedKeys keys;
  keys.Note("listen", now.listen, next.listen);
  keys.Note("data_port", now.data_port, next.data_port);
  keys.Note("advertise_data", now.advertise_data, next.advertise_data);
  keys.Note("web", now.web, next.web);
  keys.Note("region", now.region, next.region);
  keys.Note("insecure", now.common.insecure, next.common.insecure);
  keys.Note("memory_limit", now.common.memory_limit, next.common.memory_limit);
  keys.Note("state_dir", now.common.state_dir, next.common.state_dir);
  keys.Note("json", now.json, next.json);
  keys.Note("ca_cert", now.ca_cert, next.ca_cert);
  keys.Note("jwt_audience", now.jwt_audience, next.jwt_audience);
  keys.Note("audit_log", now.audit_file(), next.audit_file());
  return keys;
}

// Lives on the control loop, except for the server, whose start and end block.
class Serving {
 public:
  // `state` and `data` outlive it; `state` is null under --insecure, `data` without a data port.
  Serving(net::EventLoop& loop, config::BrokerConfig config, ParseAgain parse,
          std::promise<void>& done, BrokerState* state, DataPlane* data)
      : loop_(loop),
        state_(state),
        data_(data),
        config_(std::move(config)),
        parse_(std::move(parse)),
        done_(done),
        broker_(loop, config_.region, LimitsOf(config_), {},
                state_ != nullptr ? state_->access() : BrokerAccess(), data),
        connections_(config_.max_connections_per_address, config_.max_connections) {}

  ~Serving() {
    if (state_ != nullptr) state_->StopServing();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  Broker& broker() { return broker_; }

  // Binds all addresses, then says so. The message of a failure names the address.
  absl::Status Listen(rpc::Server& server) {
    server_ = &server;
    // Before the line that says so: who reads it may send a signal at once.
    signals_.emplace(loop_, config_.common.grace,
                     net::ProcessSignals::Actions{[this] { Drain(); }, [this] { Finish(); },
                                                  [this] { Reload(); }});
    for (const config::Endpoint& endpoint : config_.listen) CULVERT_RETURN_IF_ERROR(Bind(endpoint));
    if (data_ != nullptr) CULVERT_RETURN_IF_ERROR(BindDataPort());
    CULVERT_RETURN_IF_ERROR(BindWebPort());
    if (state_ != nullptr) CULVERT_RETURN_IF_ERROR(state_->Serve(broker_));
    CULVERT_RETURN_IF_ERROR(PrintAddresses());
    config::NotifyReady(StatusLine());
    return absl::OkStatus();
  }

 private:
  absl::Status Bind(const config::Endpoint& endpoint) {
    CULVERT_ASSIGN_OR_RETURN(const std::vector<net::Address> addresses,
                             config::BindAddresses(endpoint));
    for (const net::Address& address : addresses) {
      CULVERT_ASSIGN_OR_RETURN(
          std::unique_ptr<net::FdListener> listener,
          net::FdListener::Bind(loop_, address,
                                [this](int fd, net::Address peer) { Accept(fd, peer); }));
      listeners_.push_back(std::move(listener));
    }
    return absl::OkStatus();
  }

  absl::Status BindDataPort() {
    std::vector<net::Address> addresses;
    for (const auto& listener : listeners_) addresses.push_back(listener->address());
    return ListenForData(*data_, config_.data_port, addresses);
  }

  absl::Status BindWebPort() {
    if (state_ != nullptr) {
      CULVERT_ASSIGN_OR_RETURN(web_identity_, state_->MakeWebIdentity());
    }
    CULVERT_ASSIGN_OR_RETURN(
        web_, WebPort::Listen(
                  loop_, config_, web_identity_.get(),
                  [this](int fd, const net::Address& peer) { return Admit(fd, peer); },
                  {[this](const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
                     broker_.AddStream(info, std::move(stream));
                   },
                   [this](const rpc::StreamInfo& info) { return broker_.FindCaller(info); }}));
    return absl::OkStatus();
  }

  absl::Status PrintAddresses() const {
    Announcement said;
    for (const auto& listener : listeners_) said.control.push_back(listener->address());
    if (data_ != nullptr) said.data_port = data_->addresses().front().port();
    said.web = web_->addresses();
    if (state_ != nullptr) said.authority = state_->authority_fingerprint();
    return config::PrintResult(config_.json ? said.ToJsonLines() : said.ToText());
  }

  std::string StatusLine() const {
    return fmt::format("listening on {}", listeners_.front()->address().ToString());
  }

  void Accept(int fd, const net::Address& peer) {
    if (Admit(fd, peer)) {
      server_->Adopt(fd);
    } else {
      close(fd);
    }
  }

  bool Admit(int fd, const net::Address& peer) {
    absl::Status admitted =
        config_.common.insecure ? config::CheckInsecurePeer(peer) : absl::OkStatus();
    if (admitted.ok()) admitted = connections_.Admit(peer.ip(), fd, loop_.Now());
    if (admitted.ok()) return true;
    refusals_log_.Log(
        LogLevel::kWarning, loop_.Now(),
        fmt::format("connection from {} refused: {}", peer.ToString(), MessageOf(admitted)));
    return false;
  }

  void Drain() {
    config::NotifyStopping();
    listeners_.clear();
    if (data_ != nullptr) data_->StopListening();
    if (web_ != nullptr) web_->Drain();
    broker_.Drain([this] { Finish(); }, signals_->grace());
  }

  void Finish() {
    if (finished_) return;
    finished_ = true;
    listeners_.clear();
    if (web_ != nullptr) web_->Drain();
    broker_.EndAll();
    done_.set_value();
  }

  void Reload() {
    if (state_ != nullptr) state_->audit().Reopen();
    config::Reload(
        parse_, [this](const config::BrokerConfig& next) { Apply(next); },
        [this] { return StatusLine(); });
  }

  void Apply(const config::BrokerConfig& next) {
    broker_.SetLimits(LimitsOf(next));
    connections_.SetLimits(next.max_connections_per_address, next.max_connections);
    SetLogLevel(next.common.log_level);
    signals_->set_grace(next.common.grace);
    ChangedForNextStart(config_, next).Log();
    CULVERT_LOG(kInfo, "configuration reloaded");
  }

  net::EventLoop& loop_;
  BrokerState* const state_;
  DataPlane* const data_;
  const config::BrokerConfig config_;
  const ParseAgain parse_;
  std::promise<void>& done_;
  Broker broker_;
  ConnectionTable connections_;
  LogThrottle refusals_log_;
  rpc::Server* server_ = nullptr;
  std::vector<std::unique_ptr<net::FdListener>> listeners_;
  std::unique_ptr<WebIdentity> web_identity_;
  std::unique_ptr<WebPort> web_;
  std::optional<net::ProcessSignals> signals_;
  bool finished_ = false;
};

// On the control loop.
absl::Status OpenState(net::EventLoop& loop, const config::BrokerConfig& config,
                       std::unique_ptr<BrokerState>& state) {
  if (config.common.insecure) return absl::OkStatus();
  CULVERT_ASSIGN_OR_RETURN(state, BrokerState::Open(loop, config));
  return absl::OkStatus();
}

absl::Status RunOn(net::LoopThread& thread, const config::BrokerConfig& config,
                   const ParseAgain& parse, BrokerState* state) {
  std::promise<void> done;
  std::unique_ptr<DataPlane> data;
  std::unique_ptr<Serving> serving;
  rpc::Credentials credentials = rpc::Credentials::Insecure();
  absl::Status started;
  thread.Run([&] {
    absl::StatusOr<std::unique_ptr<DataPlane>> plane = StartData(thread.loop(), config);
    started = plane.status();
    if (!started.ok()) return;
    data = *std::move(plane);
    if (state != nullptr) credentials = state->credentials();
    serving = std::make_unique<Serving>(thread.loop(), config, parse, done, state, data.get());
  });
  if (!started.ok()) return started;

  absl::StatusOr<std::unique_ptr<rpc::Server>> server = rpc::Server::Start(
      thread.loop(), credentials,
      [&](const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
        serving->broker().AddStream(info, std::move(stream));
      },
      ServerOptionsOf(config));
  started = server.status();
  if (started.ok()) thread.Run([&] { started = serving->Listen(**server); });
  if (started.ok()) done.get_future().wait();
  // The loop still runs: cancellations post to it.
  if (server.ok()) (*server)->Shutdown(std::chrono::seconds(1));
  thread.Run([&] {
    serving.reset();
    data.reset();
  });
  return started;
}

int RunChecked(const config::BrokerConfig& config, const ParseAgain& parse) {
  net::LoopThread thread;
  std::unique_ptr<BrokerState> state;
  absl::Status ran;
  thread.Run([&] { ran = OpenState(thread.loop(), config, state); });
  if (ran.ok()) ran = RunOn(thread, config, parse, state.get());
  thread.Run([&] { state.reset(); });
  if (ran.ok()) return 0;
  config::PrintError(kProgram, ran);
  return config::kExitFailure;
}

}  // namespace

int Run(const config::BrokerConfig& config, const ParseAgain& parse) {
  SetLogLevel(config.common.log_level);
  absl::Status usable = config::CheckCredentials(config);
  if (usable.ok() && !config.common.insecure) {
    usable = config::CheckOwnState(config.common.state_dir, "ca.pem");
  }
  if (!usable.ok()) {
    config::PrintError(kProgram, usable);
    return config::kExitUsage;
  }
  return RunChecked(config, parse);
}

}  // namespace culvert::broker
