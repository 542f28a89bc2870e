#include "forwarder/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "config/client_options.h"
#include "config/reload.h"
#include "config/service_manager.h"
#include "config/status_socket.h"
#include "config/succession.h"
#include "culvert/consumer.h"
#include "forwarder/broker_watch.h"
#include "forwarder/make_client.h"
#include "forwarder/tcp_outlet.h"
#include "net/hand_over.h"
#include "net/listener.h"
#include "net/process_signals.h"
#include "sdk/client_core.h"

namespace culvert::forwarder {
namespace {

using ParseAgain = config::ParseAgain<config::ForwarderConfig>;

// One -L: its listeners (two for all interfaces).
struct Forward {
  config::ForwardSpec spec;
  uint16_t port = 0;  // that is bound
  std::vector<std::unique_ptr<net::Listener>> listeners;

  // What a process that takes over finds the listeners by: where they listen, or what they are for
  // where the kernel chose the port.
  static std::string HandOverName(const config::ForwardSpec& spec) {
    return spec.bind_port == 0 ? spec.ToString() : spec.bind().ToString();
  }
};

// Lives on the loop.
class Forwarder {
  using State = config::ProcessStatus::State;

 public:
  Forwarder(Client& client, config::ForwarderConfig config, ParseAgain parse,
            net::Inheritance inheritance, std::promise<void>& done)
      : core_(client.core()),
        loop_(core_.loop()),
        config_(std::move(config)),
        parse_(std::move(parse)),
        done_(done),
        consumer_(client),
        inheritance_(std::move(inheritance)) {}

  // All or nothing: the first port that cannot be bound is the error, before any ready line.
  absl::Status Start() {
    // Before the first ready line: who reads it may send a signal at once.
    signals_.emplace(loop_, config_.common.grace,
                     net::ProcessSignals::Actions{[this] { Drain(); }, [this] { Abort(); },
                                                  [this] { Reload(); }, [this] { HandOver(); }});
    succession_.emplace(loop_,
                        config::Succession::Actions{.handed_over = [this] { HandleHandedOver(); },
                                                    .taken_back = [this] { TakeBack(); },
                                                    .reload = [this] { Reload(); }});
    for (const config::ForwardSpec& spec : config_.forwards) {
      CULVERT_ASSIGN_OR_RETURN(Forward forward, Bind(spec));
      forwards_.push_back(std::move(forward));
    }
    status_ = config::ServeStatus(loop_, config_.common, kProgram, [this] { return Status(); });
    std::string lines;
    for (const Forward& forward : forwards_) lines += ReadyLine(forward);
    CULVERT_RETURN_IF_ERROR(config::PrintResult(lines));
    config::NotifyReady(StatusText());
    inheritance_.TellReady();
    return absl::OkStatus();
  }

 private:
  std::string StatusText() const { return fmt::format("{} forwards", forwards_.size()); }

  absl::StatusOr<Forward> Bind(const config::ForwardSpec& spec) {
    Forward forward{spec, spec.bind_port, {}};
    const auto on_accept = [this, spec](std::unique_ptr<net::TcpStream> stream) {
      Accept(spec, std::move(stream));
    };
    for (net::UniqueFd& fd : inheritance_.TakeListening(Forward::HandOverName(spec))) {
      CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<net::Listener> listener,
                               net::Listener::FromFd(loop_, fd.release(), on_accept));
      forward.port = listener->address().port();
      forward.listeners.push_back(std::move(listener));
    }
    if (!forward.listeners.empty()) return forward;
    CULVERT_ASSIGN_OR_RETURN(const std::vector<net::Address> addresses,
                             config::BindAddresses(spec.bind()));
    for (const net::Address& address : addresses) {
      CULVERT_ASSIGN_OR_RETURN(const net::Address with_port,
                               net::Address::FromLiteral(address.ip(), forward.port));
      CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<net::Listener> listener,
                               net::Listener::Bind(loop_, with_port, on_accept));
      forward.port = listener->address().port();
      forward.listeners.push_back(std::move(listener));
    }
    return forward;
  }

  std::string ReadyLine(const Forward& forward) const {
    const config::ForwardSpec& spec = forward.spec;
    if (!config_.json) return fmt::format("forwarding {}\n", spec.Arrow(forward.port));
    const config::Endpoint listen{spec.bind_host, forward.port};
    return nlohmann::json{{"event", "forwarding"},
                          {"listen", listen.ToString()},
                          {"agent", spec.agent},
                          {"target", spec.target.ToString()}}
               .dump() +
           "\n";
  }

  void Accept(const config::ForwardSpec& spec, std::unique_ptr<net::TcpStream> stream) {
    const std::string route =
        fmt::format("{} -> {} {}", stream->PeerName(), spec.agent, spec.target.ToString());
    Consumer::Request request{spec.agent, "tcp", spec.target.ToString(), config_.open_timeout};
    auto outlet = std::make_unique<TcpOutlet>(std::move(stream),
                                              [this] { Tell(broker_watch_.OnOpened(), ""); });
    consumer_.Connect(std::move(request), std::move(outlet),
                      [this, route](const ChannelReport& report) { HandleEnd(route, report); });
  }

  void HandleEnd(const std::string& route, const ChannelReport& report) {
    Tell(broker_watch_.OnEnd(report, MonotonicNow()), report.reason);
    // One that was not opened has no id.
    const std::string id =
        report.channel_id == 0 ? "" : fmt::format("[channel {:x}] ", report.channel_id);
    CULVERT_LOG(kInfo, "{}{}: ended after {:.1f} s, {} bytes sent, {} received: {}", id, route,
                ToSeconds(report.duration), report.bytes_sent, report.bytes_received,
                report.reason);
  }

  static void Tell(BrokerWatch::News news, const std::string& reason) {
    if (news == BrokerWatch::News::kAway) {
      CULVERT_LOG(kWarning, "no connection can be opened: {}", reason);
    } else if (news == BrokerWatch::News::kBack) {
      CULVERT_LOG(kInfo, "the broker answers again");
    }
  }

  config::ProcessStatus Status() {
    config::ProcessStatus status = config::ProcessStatusOf(core_, MonotonicNow());
    status.command = "forward";
    status.state = state_;
    status.channels = consumer_.Channels();
    return status;
  }

  void HandOver() {
    if (state_ != State::kRunning) return;
    std::vector<net::Listening> listening;
    for (const Forward& forward : forwards_) {
      net::Listening& next = listening.emplace_back();
      next.name = Forward::HandOverName(forward.spec);
      for (const auto& listener : forward.listeners) next.sockets.push_back(listener->fd());
    }
    succession_->Start(std::move(listening));
  }

  void HandleHandedOver() {
    state_ = State::kHandedOver;
    for (const Forward& forward : forwards_) handed_over_.push_back(forward.spec);
    forwards_.clear();
    consumer_.Drain([this] { Finish(); });
  }

  // Nothing to do if the new process has never been ready.
  void TakeBack() {
    if (state_ != State::kHandedOver || finished_) return;
    state_ = State::kRunning;
    consumer_.Drain(nullptr);
    StartAll(std::exchange(handed_over_, {}));
  }

  void Drain() {
    succession_->Cancel();
    state_ = State::kDraining;
    config::NotifyStopping();
    forwards_.clear();
    consumer_.Drain([this] { Finish(); });
  }

  // What is still open is reset, and not left to wait for a path that will not come.
  void Abort() {
    consumer_.Abort([this] { Finish(); });
  }

  void Finish() {
    if (!finished_) done_.set_value();
    finished_ = true;
  }

  void Reload() {
    core_.TakeUpIdentity();
    if (state_ != State::kRunning || succession_->PostponeReload()) return;
    config::Reload(
        parse_, [this](const config::ForwarderConfig& next) { Apply(next); },
        [this] { return StatusText(); });
  }

  void Apply(const config::ForwarderConfig& next) {
    config::ChangedForNextStart(config_, next).Log();
    config_.open_timeout = next.open_timeout;
    core_.SetKeyChoice(next.rotate_key ? KeyChoice::kNew : KeyChoice::kSame);
    const size_t failed = ReplaceForwards(next.forwards);
    SetLogLevel(next.common.log_level);
    signals_->set_grace(next.common.grace);
    if (failed == 0) {
      CULVERT_LOG(kInfo, "configuration reloaded, {}", StatusText());
    } else {
      CULVERT_LOG(kWarning, "configuration reloaded in part: {}, {} not started", StatusText(),
                  failed);
    }
  }

  // Forwards that are gone stop listening, then those that are new start; connections live on.
  // Returns how many could not be started.
  size_t ReplaceForwards(std::vector<config::ForwardSpec> wanted) {
    // Each running one stands for one of those that are wanted: port 0 may be there several times.
    std::erase_if(forwards_, [&wanted](const Forward& forward) {
      const auto same = std::find(wanted.begin(), wanted.end(), forward.spec);
      if (same == wanted.end()) return true;
      wanted.erase(same);
      return false;
    });
    return StartAll(wanted);
  }

  size_t StartAll(const std::vector<config::ForwardSpec>& wanted) {
    size_t failed = 0;
    for (const config::ForwardSpec& spec : wanted) {
      const absl::Status started = StartOne(spec);
      if (started.ok()) continue;
      ++failed;
      CULVERT_LOG(kError, "forward {} not started: {}", spec.ToString(), MessageOf(started));
    }
    return failed;
  }

  absl::Status StartOne(const config::ForwardSpec& spec) {
    CULVERT_ASSIGN_OR_RETURN(Forward forward, Bind(spec));
    forwards_.push_back(std::move(forward));
    if (absl::Status told = config::PrintResult(ReadyLine(forwards_.back())); !told.ok()) {
      CULVERT_LOG(kError, "forward {}: {}", spec.ToString(), MessageOf(told));
    }
    return absl::OkStatus();
  }

  ClientCore& core_;
  net::EventLoop& loop_;
  config::ForwarderConfig config_;  // as at the start, but for the open timeout
  const ParseAgain parse_;
  std::promise<void>& done_;
  BrokerWatch broker_watch_;
  Consumer consumer_;
  std::vector<Forward> forwards_;
  std::vector<config::ForwardSpec> handed_over_;  // to another process
  std::optional<net::ProcessSignals> signals_;
  net::Inheritance inheritance_;
  std::optional<config::Succession> succession_;
  std::unique_ptr<net::LineServer> status_;
  State state_ = State::kRunning;
  bool finished_ = false;
};

}  // namespace

int RunForward(const config::ForwarderConfig& config, const ParseAgain& parse) {
  SetLogLevel(config.common.log_level);
  // Before the first thread.
  absl::StatusOr<net::Inheritance> inheritance = net::Inheritance::Take();
  if (!inheritance.ok()) {
    config::PrintError(kProgram, inheritance.status());
    return config::kExitFailure;
  }
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(config);
  if (!client.ok()) {
    config::PrintError(kProgram, client.status());
    return config::kExitUsage;
  }
  std::promise<void> done;
  std::unique_ptr<Forwarder> forwarder;
  absl::Status started;
  (*client)->Run([&] {
    forwarder = std::make_unique<Forwarder>(**client, config, parse, *std::move(inheritance), done);
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
