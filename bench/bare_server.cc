// A gRPC server with all of the broker's settings and nothing of a broker: what idle_agents.py
// takes gRPC itself to cost. It answers what an idle agent says, on a port of loopback that it
// prints, until its input ends.
//
//   bare_server STATE-DIR
//
// STATE-DIR is that of a broker, whose certificate it shows.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/loop_thread.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "rpc/server.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

// Answers what an idle agent says.
class BareSession final : private rpc::Stream::Delegate {
 public:
  explicit BareSession(std::unique_ptr<rpc::Stream> stream) : stream_(std::move(stream)) {
    stream_->SetDelegate(this);
    stream_->Read();
  }

 private:
  void OnMessage(Bytes message) override {
    pb::ListenRequest request;
    CULVERT_CHECK(request.ParseFromArray(message.data(), static_cast<int>(message.size())));
    pb::ListenResponse response;
    if (request.has_open_request()) response.mutable_listening()->set_session_id(1);
    if (request.has_ping()) response.mutable_pong();
    stream_->Write(rpc::FrameOf(response));
  }
  void OnWritten() override {
    if (stream_ != nullptr) stream_->Read();
  }
  void OnEnd(absl::Status) override { stream_.reset(); }
  void OnPeerFinished() override { stream_->Finish(absl::OkStatus()); }

  std::unique_ptr<rpc::Stream> stream_;
};

int Run(const std::string& state_dir) {
  net::LoopThread thread;
  std::vector<std::unique_ptr<BareSession>> sessions;
  rpc::ServerOptions options;
  options.memory = size_t{4} << 30;
  auto server = rpc::Server::Start(
      thread.loop(),
      rpc::Credentials::ForServer(state_dir + "/server.pem", state_dir + "/server-key.pem"),
      [&](const rpc::StreamInfo&, std::unique_ptr<rpc::Stream> stream) {
        sessions.push_back(std::make_unique<BareSession>(std::move(stream)));
      },
      options);
  CULVERT_CHECK(server.ok());
  std::unique_ptr<net::FdListener> listener;
  thread.Run([&] {
    auto bound = net::FdListener::Bind(thread.loop(), *net::Address::FromLiteral("127.0.0.1", 0),
                                       [&](int fd, const net::Address&) { (*server)->Adopt(fd); });
    CULVERT_CHECK(bound.ok());
    listener = *std::move(bound);
    fmt::print("port {}\n", listener->address().port());
    std::fflush(stdout);
  });
  std::string line;
  while (std::getline(std::cin, line)) continue;
  thread.Run([&] { listener.reset(); });
  (*server)->Shutdown(std::chrono::seconds(1));
  thread.Run([&] { sessions.clear(); });
  return 0;
}

}  // namespace
}  // namespace culvert

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: {} STATE-DIR\n", argv[0]);
    return 2;
  }
  CULVERT_CHECK(culvert::net::RaiseProcessLimits().ok());
  culvert::SetLogLevel(culvert::LogLevel::kWarning);
  return culvert::Run(argv[1]);
}
