// Offers the service "ping": answers each message "PING" with "PONG".
//
//   culvert-agent enroll --broker 127.0.0.1:7400 --token-file provider.token --state-dir provider
//   ping-provider --broker 127.0.0.1:7400 --state-dir provider
#include <csignal>
#include <cstdio>
#include <memory>

#include "arguments.h"
#include "culvert/client.h"
#include "culvert/error_code.h"
#include "culvert/provider.h"

namespace {

// One channel. Everything runs on the client's loop thread, so there is nothing to lock.
class PingService final : public culvert::Service {
 public:
  void Send(culvert::Bytes bytes, TakenCallback taken) override {
    if (bytes.view() != "PING") {
      std::move(taken)(culvert::ErrorStatus(culvert::ErrorCode::kProtocol, "unexpected message"));
      return;
    }
    ++owed_;
    std::move(taken)(absl::OkStatus());
    Answer();
  }

  void Recv(ReceivedCallback received) override {
    received_ = std::move(received);
    Answer();
  }

  void Close(const absl::Status& why) override {
    std::printf("channel ended: %s\n", why.ToString().c_str());
    std::fflush(stdout);
  }

 private:
  void Answer() {
    if (owed_ == 0 || !received_) return;
    --owed_;
    std::exchange(received_, nullptr)(culvert::Chunk::Data(culvert::Bytes::Copy("PONG")));
  }

  int owed_ = 0;  // answers
  ReceivedCallback received_;
};

culvert::Provider::Options OfferPing() {
  culvert::Provider::Options options;
  options.services["ping"] = [](const culvert::ServiceRequest&) {
    return std::make_unique<PingService>();
  };
  options.on_state = [](const absl::Status& state, std::chrono::nanoseconds) {
    std::printf("%s\n", state.ok() ? "registered" : state.ToString().c_str());
    std::fflush(stdout);
  };
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = ParseArguments(
      argc, argv,
      "usage: ping-provider --broker HOST:PORT (--state-dir DIR | --name NAME --insecure)");
  if (arguments.empty()) return 2;
  // Before there are threads: the signals that end this wait for sigwait below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  culvert::ClientOptions options;
  options.brokers = {arguments["broker"]};
  options.state_dir = arguments["state-dir"];  // with the identity, which has the name
  options.name = arguments["name"];
  options.insecure = arguments.contains("insecure");
  auto client = culvert::Client::Create(options);
  if (!client.ok()) {
    std::fprintf(stderr, "ping-provider: %s\n", client.status().ToString().c_str());
    return 2;
  }
  const culvert::Provider provider(**client, OfferPing());
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}
