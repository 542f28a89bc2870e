// A web server on loopback without TLS, a handler of its calls that does what a test says, and a
// client of bare bytes.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/event_loop.h"
#include "net/listener.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "rpc/codec.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"
#include "web/server.h"

namespace culvert::web {

// One call as the broker has it.
struct PlayedCall final : rpc::Stream::Delegate {
  PlayedCall(const rpc::StreamInfo& about, std::unique_ptr<rpc::Stream> end)
      : info(about), stream(std::move(end)) {
    stream->SetDelegate(this);
    stream->HoldUntilDone(held);
  }

  void OnMessage(Bytes message) override { messages.emplace_back(message.view()); }
  void OnWritten() override { ++written; }
  void OnPeerFinished() override { peer_finished = true; }
  void OnEnd(absl::Status status) override { ended = std::move(status); }

  template <class Message>
  Message Read(size_t index = 0) const {
    Message message;
    REQUIRE(message.ParseFromString(messages.at(index)));
    return message;
  }

  const rpc::StreamInfo info;
  std::unique_ptr<rpc::Stream> stream;
  std::shared_ptr<int> held = std::make_shared<int>();
  std::vector<std::string> messages;
  int written = 0;
  bool peer_finished = false;
  absl::Status ended;  // OK until then
};

struct WebFixture {
  static constexpr Duration kLimit = std::chrono::seconds(10);

  explicit WebFixture(const Connection::Times& times = {})
      : server(
            loop,
            {[this](const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
               calls.push_back(std::make_unique<PlayedCall>(info, std::move(stream)));
             },
             [this](const rpc::StreamInfo&) { return caller; }},
            [] { return nullptr; }, times) {
    listener = *net::FdListener::Bind(
        loop, *net::Address::FromLiteral("127.0.0.1", 0), [this](int fd, const net::Address& peer) {
          if (send_buffer > 0) {
            ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
          }
          server.Adopt(fd, peer);
        });
  }

  test::Fd Connect() {
    test::Fd client = test::ConnectToLoopback(listener->address().port());
    REQUIRE(client.get() >= 0);
    return client;
  }

  // What has come by the time that `done` says so.
  template <class Done>
  test::PeerRead ReadUntil(const test::Fd& client, Done done, Duration limit = kLimit) {
    test::PeerRead all;
    const bool in_time = loop.RunUntil(
        [&] {
          test::PeerRead now = test::ReadNow(client.get());
          all.bytes += now.bytes;
          all.eof = all.eof || now.eof;
          all.error = now.error != 0 ? now.error : all.error;
          return done(all);
        },
        limit);
    CAPTURE(all.bytes, all.eof);
    REQUIRE(in_time);
    return all;
  }
  std::string ReadUntilText(const test::Fd& client, const std::string& text) {
    return ReadUntil(
               client,
               [&](const test::PeerRead& all) { return all.bytes.find(text) != std::string::npos; })
        .bytes;
  }
  std::string ReadToEnd(const test::Fd& client, Duration limit = kLimit) {
    return ReadUntil(
               client, [](const test::PeerRead& all) { return all.eof || all.error != 0; }, limit)
        .bytes;
  }

  // The next call, which must come.
  PlayedCall& NextCall() {
    REQUIRE(loop.RunUntil([this] { return calls.size() > seen; }, kLimit));
    return *calls[seen++];
  }
  void Wait(const std::function<bool()>& done) { REQUIRE(loop.RunUntil(done, kLimit)); }
  // After a request is there.
  PlayedCall& NextRead() {
    PlayedCall& call = NextCall();
    call.stream->Read();
    Wait([&] { return !call.messages.empty(); });
    return call;
  }

  std::optional<std::string> caller = "";
  int send_buffer = 0;  // of the kernel's, for the server's sockets; 0: its own choice
  net::EventLoop loop;
  std::vector<std::unique_ptr<PlayedCall>> calls;
  size_t seen = 0;
  Server server;
  std::unique_ptr<net::FdListener> listener;
};

inline std::string Get(const std::string& path, const std::string& fields = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}
inline std::string Post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace culvert::web
