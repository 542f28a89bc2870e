#include "forwarder/forward.h"

#include <fmt/format.h>

#include <future>
#include <memory>
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
#include "forwarder/forwards.h"
#include "forwarder/make_client.h"
#include "forwarder/tcp_outlet.h"
#include "net/hand_over.h"
#include "net/process_signals.h"
#include "sdk/client_core.h"

namespace culvert::forwarder {
namespace {

using ParseAgain = config::ParseAgain<config::ForwarderConfig>;

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
        inheritance_(std::move(inheritance)),
        forwards_(loop_, inheritance_,
                  config_.json ? Forwards::Lines::kJson : Forwards::Lines::kText,
                  [this](const config::ForwardSpec& spec, std::unique_ptr<net::TcpStream> stream) {
                    Accept(spec, std::move(stream));
                  }) {}

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
    CULVERT_RETURN_IF_ERROR(forwards_.Open(config_.forwards));
    status_ = config::ServeStatus(loop_, config_.common, kProgram, [this] { return Status(); });
    CULVERT_RETURN_IF_ERROR(forwards_.PrintAll());
    config::NotifyReady(StatusText());
    inheritance_.TellReady();
    return absl::OkStatus();
  }

 private:
  std::string StatusText() const { return fmt::format("{} forwards", forwards_.size()); }

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
    succession_->Start(forwards_.Listening());
  }

  void HandleHandedOver() {
    state_ = State::kHandedOver;
    handed_over_ = forwards_.Close();
    consumer_.Drain([this] { Finish(); });
  }

  // Nothing to do if the new process has never been ready.
  void TakeBack() {
    if (state_ != State::kHandedOver || finished_) return;
    state_ = State::kRunning;
    consumer_.Drain(nullptr);
    forwards_.Start(std::exchange(handed_over_, {}));
  }

  void Drain() {
    succession_->Cancel();
    state_ = State::kDraining;
    config::NotifyStopping();
    forwards_.Close();
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
    const size_t failed = forwards_.Replace(next.forwards);
    SetLogLevel(next.common.log_level);
    signals_->set_grace(next.common.grace);
    if (failed == 0) {
      CULVERT_LOG(kInfo, "configuration reloaded, {}", StatusText());
    } else {
      CULVERT_LOG(kWarning, "configuration reloaded in part: {}, {} not started", StatusText(),
                  failed);
    }
  }

  ClientCore& core_;
  net::EventLoop& loop_;
  config::ForwarderConfig config_;  // as at the start, but for the open timeout
  const ParseAgain parse_;
  std::promise<void>& done_;
  BrokerWatch broker_watch_;
  Consumer consumer_;
  net::Inheritance inheritance_;
  Forwards forwards_;
  std::vector<config::ForwardSpec> handed_over_;  // to another process
  std::optional<net::ProcessSignals> signals_;
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
