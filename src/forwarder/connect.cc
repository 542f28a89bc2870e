#include "forwarder/connect.h"

#include <fmt/format.h>

#include <csignal>
#include <future>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "culvert/consumer.h"
#include "forwarder/make_client.h"
#include "forwarder/tcp_outlet.h"
#include "net/signal_watcher.h"
#include "net/stdio_stream.h"
#include "sdk/client_core.h"

namespace culvert::forwarder {
namespace {

// Lives on the loop.
class StdioCall {
 public:
  StdioCall(Client& client, const config::ForwarderConfig& config, std::promise<absl::Status>& done)
      : loop_(client.core().loop()),
        done_(done),
        consumer_(client),
        // A signal ends the call at once: there is nothing to drain but itself.
        terminate_(loop_, SIGTERM, [this] { Interrupt(); }),
        interrupt_(loop_, SIGINT, [this] { Interrupt(); }),
        // ssh sends it to its ProxyCommand at the end of every session; that standard input and
        // output end says the same, in order.
        hang_up_(loop_, SIGHUP, [] {}) {
    absl::StatusOr<std::unique_ptr<net::ByteStream>> stdio = net::OpenStdio(loop_);
    if (!stdio.ok()) {
      Finish(stdio.status());
      return;
    }
    Consumer::Request request{config.connect.agent, "tcp", config.connect.target.ToString(),
                              config.open_timeout};
    consumer_.Connect(
        std::move(request), std::make_unique<TcpOutlet>(*std::move(stdio)),
        [this](const ChannelReport& report) {
          Finish(report.status.ok() ? report.status : absl::UnknownError(report.reason));
        });
    // What was sent is to arrive: the call is over when its last message is out.
  }

 private:
  void Interrupt() { Finish(absl::CancelledError("interrupted")); }

  void Finish(const absl::Status& status) {
    if (finished_) return;
    finished_ = true;
    if (!status.ok()) {
      done_.set_value(status);
      return;
    }
    consumer_.Drain([this] { done_.set_value(absl::OkStatus()); });
  }

  net::EventLoop& loop_;
  std::promise<absl::Status>& done_;
  bool finished_ = false;
  Consumer consumer_;
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
  std::promise<absl::Status> done;
  std::unique_ptr<StdioCall> call;
  (*client)->Run([&] { call = std::make_unique<StdioCall>(**client, config, done); });
  const absl::Status ended = done.get_future().get();
  (*client)->Run([&] { call.reset(); });
  if (ended.ok()) return 0;
  const std::string route =
      fmt::format("connect {} {}", config.connect.agent, config.connect.target.ToString());
  config::PrintError(kProgram, Annotate(ended, route));
  return kExitTunnelFailed;
}

}  // namespace culvert::forwarder
