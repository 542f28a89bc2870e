#include "forwarder/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "config/credentials_policy.h"
#include "config/main.h"
#include "config/service_manager.h"
#include "culvert/consumer.h"
#include "forwarder/client_options.h"
#include "forwarder/tcp_outlet.h"
#include "net/listener.h"
#include "net/process_signals.h"
#include "sdk/client_core.h"

namespace culvert::forwarder {
namespace {

// One -L: its listeners (two for all interfaces).
struct Forward {
  config::ForwardSpec spec;
  std::vector<std::unique_ptr<net::Listener>> listeners;
};

// Lives on the loop.
class Forwarder {
 public:
  Forwarder(Client& client, config::ForwarderConfig config, ParseAgain parse,
            std::promise<void>& done)
      : loop_(client.core().loop()),
        config_(std::move(config)),
        parse_(std::move(parse)),
        done_(done),
        consumer_(client) {}

  // All or nothing: the first port that cannot be bound is the error.
  absl::Status Start() {
    // Before the first ready line: who reads it may send a signal at once.
    signals_.emplace(loop_, config_.common.grace,
                     net::ProcessSignals::Actions{[this] { Drain(); }, [this] { Finish(); },
                                                  [this] { Reload(); }});
    for (const config::ForwardSpec& spec : config_.forwards) CULVERT_RETURN_IF_ERROR(Add(spec));
    config::NotifyReady(StatusText());
    return absl::OkStatus();
  }

 private:
  std::string StatusText() const { return fmt::format("{} forwards", forwards_.size()); }

  absl::Status Add(const config::ForwardSpec& spec) {
    Forward forward{spec, {}};
    CULVERT_ASSIGN_OR_RETURN(const std::vector<net::Address> addresses,
                             config::BindAddresses(spec.bind()));
    uint16_t port = spec.bind_port;
    for (const net::Address& address : addresses) {
      CULVERT_ASSIGN_OR_RETURN(const net::Address with_port,
                               net::Address::FromLiteral(address.ip(), port));
      CULVERT_ASSIGN_OR_RETURN(
          std::unique_ptr<net::Listener> listener,
          net::Listener::Bind(loop_, with_port,
                              [this, spec](std::unique_ptr<net::TcpStream> stream) {
                                Accept(spec, std::move(stream));
                              }));
      port = listener->address().port();
      forward.listeners.push_back(std::move(listener));
    }
    Announce(spec, port);
    forwards_.push_back(std::move(forward));
    return absl::OkStatus();
  }

  void Announce(const config::ForwardSpec& spec, uint16_t port) const {
    std::string line = fmt::format("forwarding {}", spec.Arrow(port));
    if (config_.json) {
      const config::Endpoint listen{spec.bind_host, port};
      line = nlohmann::json{{"event", "forwarding"},
                            {"listen", listen.ToString()},
                            {"agent", spec.agent},
                            {"target", spec.target.ToString()}}
                 .dump();
    }
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

  void Accept(const config::ForwardSpec& spec, std::unique_ptr<net::TcpStream> stream) {
    const std::string route =
        fmt::format("{} -> {} {}", stream->PeerName(), spec.agent, spec.target.ToString());
    Consumer::Request request{spec.agent, "tcp", spec.target.ToString(), config_.open_timeout};
    consumer_.Connect(std::move(request), std::make_unique<TcpOutlet>(std::move(stream)),
                      [route](const ChannelReport& report) { LogEnd(route, report); });
  }

  static void LogEnd(const std::string& route, const ChannelReport& report) {
    CULVERT_LOG(kInfo, "[channel {:x}] {}: ended after {:.1f} s, {} bytes sent, {} received: {}",
                report.channel_id, route, ToSeconds(report.duration), report.bytes_sent,
                report.bytes_received, report.reason);
  }

  void Drain() {
    config::NotifyStopping();
    forwards_.clear();
    consumer_.Drain([this] { Finish(); });
  }

  void Finish() {
    if (!finished_) done_.set_value();
    finished_ = true;
  }

  void Reload() {
    config::NotifyReloading();
    absl::StatusOr<config::Parsed<config::ForwarderConfig>> parsed = parse_();
    if (parsed.ok() && !parsed->config) parsed = absl::InvalidArgumentError("nothing to run");
    absl::Status usable = parsed.ok() ? config::CheckCredentials(*parsed->config) : parsed.status();
    if (usable.ok()) {
      Apply(*parsed->config);
    } else {
      CULVERT_LOG(kError, "configuration not reloaded: {}", MessageOf(usable));
    }
    config::NotifyReady(StatusText());
  }

  // Forwards that are new start, those that are gone stop listening; connections live on.
  void Apply(const config::ForwarderConfig& next) {
    std::erase_if(forwards_, [&next](const Forward& forward) {
      return std::find(next.forwards.begin(), next.forwards.end(), forward.spec) ==
             next.forwards.end();
    });
    for (const config::ForwardSpec& spec : next.forwards) {
      const bool here =
          std::any_of(forwards_.begin(), forwards_.end(),
                      [&spec](const Forward& forward) { return forward.spec == spec; });
      if (here) continue;
      if (absl::Status added = Add(spec); !added.ok()) {
        CULVERT_LOG(kError, "forward {} not started: {}", spec.ToString(), MessageOf(added));
      }
    }
    SetLogLevel(next.common.log_level);
    signals_->set_grace(next.common.grace);
    CULVERT_LOG(kInfo, "configuration reloaded, {}", StatusText());
  }

  net::EventLoop& loop_;
  const config::ForwarderConfig config_;
  const ParseAgain parse_;
  std::promise<void>& done_;
  Consumer consumer_;
  std::vector<Forward> forwards_;
  std::optional<net::ProcessSignals> signals_;
  bool finished_ = false;
};

}  // namespace

int RunForward(const config::ForwarderConfig& config, const ParseAgain& parse) {
  SetLogLevel(config.common.log_level);
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(config);
  if (!client.ok()) {
    config::PrintError(kProgram, client.status());
    return config::kExitUsage;
  }
  std::promise<void> done;
  std::unique_ptr<Forwarder> forwarder;
  absl::Status started;
  (*client)->Run([&] {
    forwarder = std::make_unique<Forwarder>(**client, config, parse, done);
    started = forwarder->Start();
  });
  if (started.ok()) {
    done.get_future().wait();
  } else {
    config::PrintError(kProgram, started);
  }
  (*client)->Run([&] { forwarder.reset(); });
  return started.ok() ? 0 : config::kExitFailure;
}

}  // namespace culvert::forwarder
