// Sends "PING" to the service "ping" of a provider, prints the answer, and ends the channel.
//
//   culvert enroll --broker 127.0.0.1:7400 --token-file alice.token --state-dir alice
//   ping-consumer --broker 127.0.0.1:7400 --provider my-first-provider --state-dir alice
#include <cstdio>
#include <future>
#include <memory>
#include <string>

#include "arguments.h"
#include "culvert/client.h"
#include "culvert/consumer.h"

namespace {

class PingOutlet final : public culvert::Outlet {
 public:
  void Send(culvert::Bytes bytes, TakenCallback taken) override {
    std::printf("Received: %s\n", std::string(bytes.view()).c_str());
    std::move(taken)(absl::OkStatus());
    Finish();
  }

  void Recv(ReceivedCallback received) override {
    // Asked for more than the one message, it never answers: Finish ends the channel.
    if (sent_) return;
    sent_ = true;
    std::move(received)(culvert::Chunk::Data(culvert::Bytes::Copy("PING")));
  }

  void Close(const absl::Status&) override {}

 private:
  bool sent_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = ParseArguments(
      argc, argv,
      "usage: ping-consumer --broker HOST:PORT --provider NAME (--state-dir DIR | --insecure)");
  if (arguments.empty()) return 2;
  culvert::ClientOptions options;
  options.brokers = {arguments["broker"]};
  options.state_dir = arguments["state-dir"];  // with the identity, which has the name
  options.insecure = arguments.contains("insecure");
  if (options.insecure) options.name = "my-first-consumer";
  auto client = culvert::Client::Create(options);
  if (!client.ok()) {
    std::fprintf(stderr, "ping-consumer: %s\n", client.status().ToString().c_str());
    return 2;
  }

  culvert::Consumer consumer(**client);
  std::promise<void> drained;
  culvert::ChannelReport result;
  consumer.Connect({arguments["provider"], "ping", /*arg=*/"", std::chrono::seconds(10)},
                   std::make_unique<PingOutlet>(),
                   [&result](const culvert::ChannelReport& report) { result = report; });
  // Runs when the channel is over and its last message is out.
  consumer.Drain([&drained] { drained.set_value(); });
  drained.get_future().wait();
  if (result.status.ok()) return 0;
  std::fprintf(stderr, "ping-consumer: %s\n", result.reason.c_str());
  return 1;
}
