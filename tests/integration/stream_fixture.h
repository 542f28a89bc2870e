// A client stream and the server stream that it reaches, each on a loop of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/listener.h"
#include "net/loop_thread.h"
#include "rpc/connection.h"
#include "rpc/server.h"
#include "tests/support/catch.h"
#include "tests/support/eventually.h"

namespace culvert::rpc {

using namespace std::chrono_literals;

// Writes down what a stream tells. For the stream's loop, except where it says so.
class StreamLog final : public Stream::Delegate {
 public:
  std::vector<std::string> messages;
  int written = 0;
  bool peer_finished = false;
  std::optional<absl::Status> ended;
  int calls_after_end = 0;
  bool read_on = true;  // reads the next message by itself
  Stream* stream = nullptr;
  // Runs inside each callback.
  std::function<void(const char* callback)> hook;

  void OnMessage(Bytes message) override {
    if (ended) ++calls_after_end;
    messages.emplace_back(message.view());
    if (read_on && stream != nullptr) stream->Read();
    if (hook) hook("OnMessage");
  }
  void OnWritten() override {
    ++written;
    if (hook) hook("OnWritten");
  }
  void OnPeerFinished() override {
    peer_finished = true;
    if (hook) hook("OnPeerFinished");
  }
  void OnEnd(absl::Status status) override {
    if (ended) ++calls_after_end;
    ended = std::move(status);
    if (hook) hook("OnEnd");
  }
};

// One end: its loop, its stream, its log. Tasks run on the loop and are waited for.
struct StreamEnd {
  net::LoopThread thread;
  StreamLog log;
  std::unique_ptr<Stream> stream;  // on the loop

  template <typename Task>
  void Run(Task task) {
    thread.Run([&] { task(); });
  }
  // Waits until `done` is true on the loop.
  bool Wait(const std::function<bool()>& done) {
    return test::Eventually(
        [&] {
          bool now = false;
          Run([&] { now = done(); });
          return now;
        },
        10s);
  }
  void Write(const std::string& text) {
    Run([&] { stream->Write(Frame{text, Bytes()}); });
  }
  void Finish(const absl::Status& status = absl::OkStatus()) {
    Run([&] { stream->Finish(status); });
  }
  void Drop() {
    Run([&] { Own(nullptr); });
  }
  // On the loop.
  void Own(std::unique_ptr<Stream> next) {
    stream = std::move(next);
    log.stream = stream.get();
  }
};

struct StreamFixture {
  StreamEnd server;
  StreamEnd client;
  std::unique_ptr<Server> grpc_server;
  std::unique_ptr<net::FdListener> listener;    // on the server's loop
  std::unique_ptr<Connection> connection;       // on the client's loop
  std::vector<std::unique_ptr<Stream>> others;  // streams after the first; on the server's loop

  explicit StreamFixture(bool server_reads = true, const ServerOptions& options = {}) {
    auto started = Server::Start(
        server.thread.loop(), Credentials::Insecure(),
        [this, server_reads](const StreamInfo&, std::unique_ptr<Stream> stream) {
          if (server.stream != nullptr) {
            stream->SetDelegate(&unread_);
            others.push_back(std::move(stream));
            return;
          }
          server.Own(std::move(stream));
          server.stream->SetDelegate(&server.log);
          if (server_reads) server.stream->Read();
        },
        options);
    REQUIRE(started.ok());
    grpc_server = *std::move(started);
    std::string address;
    server.Run([&] {
      auto bound =
          net::FdListener::Bind(server.thread.loop(), *net::Address::FromLiteral("127.0.0.1", 0),
                                [this](int fd, const net::Address&) { grpc_server->Adopt(fd); });
      if (!bound.ok()) return;
      listener = *std::move(bound);
      address = listener->address().ToString();
    });
    REQUIRE_FALSE(address.empty());
    client.Run([&] {
      connection =
          std::make_unique<Connection>(client.thread.loop(), address, Credentials::Insecure());
      client.Own(Start());
      client.stream->SetDelegate(&client.log);
      client.stream->Read();
    });
    // The first stream that arrives is the server's end of it: no other may overtake it.
    REQUIRE(server.Wait([&] { return server.stream != nullptr; }));
  }
  ~StreamFixture() {
    client.Run([&] {
      client.Own(nullptr);
      connection.reset();
    });
    CHECK(client.log.calls_after_end + server.log.calls_after_end == 0);
    server.Run([&] { listener.reset(); });
    grpc_server->Shutdown(100ms);
    server.Run([&] {
      server.Own(nullptr);
      others.clear();
    });
  }

  // Another stream on the same connection. On the client's loop.
  std::unique_ptr<Stream> Start() { return connection->Start(Method::kConnect); }
  // Waits until the server has the first stream.
  bool WaitForStream() {
    return server.Wait([&] { return server.stream != nullptr; });
  }

 private:
  StreamLog unread_;
};

}  // namespace culvert::rpc
