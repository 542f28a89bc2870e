#include "broker/serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
#include "broker/connection_table.h"
#include "config/credentials_policy.h"
#include "config/main.h"
#include "config/service_manager.h"
#include "net/listener.h"
#include "net/loop_thread.h"
#include "net/process_signals.h"
#include "rpc/server.h"

namespace culvert::broker {
namespace {

constexpr char kProgram[] = "culvert-broker";

using ParseAgain = std::function<absl::StatusOr<config::Parsed<config::BrokerConfig>>()>;

Broker::Limits LimitsOf(const config::BrokerConfig& config) {
  return {config.max_streams_per_address, config.max_pending_per_address};
}

// Lives on the control loop, except for the server, whose start and end block.
class Serving {
 public:
  Serving(net::EventLoop& loop, config::BrokerConfig config, ParseAgain parse,
          std::promise<void>& done)
      : loop_(loop),
        config_(std::move(config)),
        parse_(std::move(parse)),
        done_(done),
        broker_(loop, config_.region, LimitsOf(config_)),
        connections_(config_.max_connections_per_address, config_.max_connections) {}

  Broker& broker() { return broker_; }

  // Binds and says so. The message of a failure names the address.
  absl::Status Listen(rpc::Server& server) {
    server_ = &server;
    // Before the line that says so: who reads it may send a signal at once.
    signals_.emplace(loop_, config_.common.grace,
                     net::ProcessSignals::Actions{[this] { Drain(); }, [this] { Finish(); },
                                                  [this] { Reload(); }});
    CULVERT_ASSIGN_OR_RETURN(const std::vector<net::Address> addresses,
                             config::BindAddresses(config_.listen));
    for (const net::Address& address : addresses) {
      CULVERT_ASSIGN_OR_RETURN(
          std::unique_ptr<net::FdListener> listener,
          net::FdListener::Bind(loop_, address,
                                [this](int fd, net::Address peer) { Accept(fd, peer); }));
      std::printf("listening on %s\n", listener->address().ToString().c_str());
      listeners_.push_back(std::move(listener));
    }
    std::fflush(stdout);
    config::NotifyReady(fmt::format("listening on {}", listeners_.front()->address().ToString()));
    return absl::OkStatus();
  }

 private:
  void Accept(int fd, const net::Address& peer) {
    absl::Status admitted = connections_.Admit(peer.ip(), fd);
    if (admitted.ok() && config_.common.insecure) admitted = config::CheckInsecurePeer(peer);
    if (!admitted.ok()) {
      CULVERT_LOG(kDebug, "connection from {} refused: {}", peer.ToString(), MessageOf(admitted));
      close(fd);
      return;
    }
    server_->Adopt(fd);
  }

  void Drain() {
    config::NotifyStopping();
    listeners_.clear();
    broker_.Drain([this] { Finish(); });
  }

  void Finish() {
    if (finished_) return;
    finished_ = true;
    listeners_.clear();
    broker_.EndAll();
    done_.set_value();
  }

  void Reload() {
    config::NotifyReloading();
    absl::StatusOr<config::Parsed<config::BrokerConfig>> parsed = parse_();
    if (parsed.ok() && !parsed->config) parsed = absl::InvalidArgumentError("nothing to run");
    if (parsed.ok()) {
      const config::BrokerConfig& next = *parsed->config;
      broker_.SetLimits(LimitsOf(next));
      connections_.SetLimits(next.max_connections_per_address, next.max_connections);
      SetLogLevel(next.common.log_level);
      signals_->set_grace(next.common.grace);
      CULVERT_LOG(kInfo, "configuration reloaded");
    } else {
      CULVERT_LOG(kError, "configuration not reloaded: {}", MessageOf(parsed.status()));
    }
    config::NotifyReady(fmt::format("listening on {}", listeners_.front()->address().ToString()));
  }

  net::EventLoop& loop_;
  const config::BrokerConfig config_;
  const ParseAgain parse_;
  std::promise<void>& done_;
  Broker broker_;
  ConnectionTable connections_;
  rpc::Server* server_ = nullptr;
  std::vector<std::unique_ptr<net::FdListener>> listeners_;
  std::optional<net::ProcessSignals> signals_;
  bool finished_ = false;
};

int RunChecked(const config::BrokerConfig& config, const ParseAgain& parse) {
  net::LoopThread thread;
  std::promise<void> done;
  std::unique_ptr<Serving> serving;
  thread.Run([&] { serving = std::make_unique<Serving>(thread.loop(), config, parse, done); });

  absl::StatusOr<std::unique_ptr<rpc::Server>> server =
      rpc::Server::Start(thread.loop(), rpc::Credentials::Insecure(),
                         [&](const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
                           serving->broker().AddStream(info, std::move(stream));
                         });
  absl::Status started = server.status();
  if (started.ok()) thread.Run([&] { started = serving->Listen(**server); });
  if (started.ok()) {
    done.get_future().wait();
  } else {
    config::PrintError(kProgram, started);
  }
  // The loop still runs: cancellations post to it.
  if (server.ok()) (*server)->Shutdown(std::chrono::seconds(1));
  thread.Run([&] { serving.reset(); });
  return started.ok() ? 0 : config::kExitFailure;
}

}  // namespace

int Run(const config::BrokerConfig& config, const ParseAgain& parse) {
  SetLogLevel(config.common.log_level);
  if (absl::Status usable = config::CheckCredentials(config); !usable.ok()) {
    config::PrintError(kProgram, usable);
    return config::kExitUsage;
  }
  return RunChecked(config, parse);
}

}  // namespace culvert::broker
