#include "forwarder/connect.h"

#include <fmt/format.h>

#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "config/status_socket.h"
#include "culvert/consumer.h"
#include "forwarder/make_client.h"
#include "forwarder/stdio_outlet.h"
#include "net/signal_watcher.h"
#include "net/stdio_stream.h"
#include "net/timer.h"
#include "sdk/client_core.h"

namespace culvert::forwarder {
namespace {

// What the process ends with. No line where nobody would miss one: a hang-up, or nobody reads.
struct CallEnd {
  int exit_code = 0;
  std::string line;
};

// From a hang-up on, both directions have this long to end in order.
constexpr Duration kHangUpTime = std::chrono::seconds(2);

// Lives on the loop.
class StdioCall {
 public:
  StdioCall(Client& client, const config::ForwarderConfig& config, std::promise<CallEnd>& done)
      : core_(client.core()),
        loop_(core_.loop()),
        done_(done),
        consumer_(client),
        hang_up_timer_(loop_),
        // A signal ends the call at once, without draining.
        terminate_(loop_, SIGTERM, [this] { Interrupt("interrupted"); }),
        interrupt_(loop_, SIGINT, [this] { Interrupt("interrupted"); }),
        hang_up_(loop_, SIGHUP, [this] { HangUp(); }) {
    absl::StatusOr<std::unique_ptr<net::ByteStream>> stdio = net::OpenStdio(loop_);
    if (!stdio.ok()) {
      Finish({kExitTunnelFailed, std::string(MessageOf(stdio.status()))});
      return;
    }
    Consumer::Request request{config.connect.agent, "tcp", config.connect.target.ToString(),
                              config.open_timeout};
    status_ = config::ServeStatus(loop_, config.common, kProgram, [this] { return Status(); });
    consumer_.Connect(std::move(request), std::make_unique<StdioOutlet>(*std::move(stdio), local_),
                      [this](const ChannelReport& report) { HandleEnd(report); });
  }

 private:
  enum class State { kOpen, kDraining, kAborting, kDone };

  void HandleEnd(const ChannelReport& report) {
    if (state_ == State::kAborting) return;
    if (report.status.ok()) {
      // What was sent is to arrive: the call is over when its last message is out.
      state_ = State::kDraining;
      consumer_.Drain([this] { Finish({}); });
      return;
    }
    CallEnd end{kExitTunnelFailed, ""};
    const bool quiet = hang_up_timer_.is_set() || MessageOf(local_.failure) == net::kReaderGone;
    if (!quiet) {
      end.line = local_.failure.ok() ? report.reason : std::string(MessageOf(local_.failure));
    }
    FinishAfterAbort(std::move(end));
  }

  // The other end hears of it first: the end of this process would reset the connection, and what
  // was said on it just before would be lost.
  void FinishAfterAbort(CallEnd end) {
    state_ = State::kAborting;
    consumer_.Abort([this, end = std::move(end)] { Finish(end); });
  }

  // How ssh ends its ProxyCommand, after it closed the pipes: what it said last is still in one.
  void HangUp() {
    if (state_ != State::kOpen || !local_.opened || hang_up_timer_.is_set()) {
      Interrupt("");
    } else {
      hang_up_timer_.Start(kHangUpTime, [this] { Interrupt(""); });
    }
  }

  void Interrupt(const char* line) {
    if (state_ == State::kDraining) {
      Finish({});  // both directions have ended in order already
    } else if (state_ == State::kOpen) {
      FinishAfterAbort({kExitTunnelFailed, line});
    }
  }

  void Finish(CallEnd end) {
    if (state_ == State::kDone) return;
    state_ = State::kDone;
    done_.set_value(std::move(end));
  }

  config::ProcessStatus Status() {
    config::ProcessStatus status = config::ProcessStatusOf(core_, MonotonicNow());
    status.command = "connect";
    if (state_ != State::kOpen) status.state = config::ProcessStatus::State::kDraining;
    status.channels = consumer_.Channels();
    return status;
  }

  ClientCore& core_;
  net::EventLoop& loop_;
  std::promise<CallEnd>& done_;
  State state_ = State::kOpen;
  StdioOutlet::News local_;
  Consumer consumer_;
  std::unique_ptr<net::LineServer> status_;
  net::Timer hang_up_timer_;
  net::SignalWatcher terminate_;
  net::SignalWatcher interrupt_;
  net::SignalWatcher hang_up_;
};

}  // namespace

int RunConnect(const config::ForwarderConfig& config) {
  SetLogLevel(config.common.log_level);
  absl::StatusOr<std::unique_ptr<Client>> client = MakeClient(config);
  if (!client.ok()) {
    config::PrintError(kProgram, client.status());
    return config::kExitUsage;
  }
  std::promise<CallEnd> done;
  std::unique_ptr<StdioCall> call;
  (*client)->Run([&] { call = std::make_unique<StdioCall>(**client, config, done); });
  const CallEnd end = done.get_future().get();
  (*client)->Run([&] { call.reset(); });
  if (!end.line.empty()) {
    const std::string route =
        fmt::format("connect {} {}", config.connect.agent, config.connect.target.ToString());
    config::PrintError(kProgram, Annotate(absl::UnknownError(end.line), route));
  }
  return end.exit_code;
}

}  // namespace culvert::forwarder
