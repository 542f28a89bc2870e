#include "ntt/proxies/v1/broker.pb.h"
#include "tests/unit/web/web_fixture.h"

namespace culvert::web {
namespace {

namespace pb = ntt::proxies::v1;

constexpr char kUpgrade[] =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

constexpr size_t kTooMuch = size_t{64} * 1024 * 1024;

// A client's frame, masked with zeros.
std::string Frame(char first, const std::string& content) {
  std::string frame(1, first);
  if (content.size() < 126) {
    frame += static_cast<char>(0x80 | content.size());
  } else {
    frame += static_cast<char>(0xfe);
    frame += static_cast<char>(content.size() >> 8);
    frame += static_cast<char>(content.size() & 0xff);
  }
  return frame + std::string(4, '\0') + content;
}
std::string Text(const std::string& content) { return Frame('\x81', content); }

struct SocketFixture : WebFixture {
  test::Fd Open() {
    test::Fd opened = Connect();
    test::SendAll(opened.get(), Get("/v1:connect", kUpgrade));
    CHECK(ReadUntilText(opened, "\r\n\r\n").find("HTTP/1.1 101 ") == 0);
    return opened;
  }

  test::Fd client = Open();
  PlayedCall& call = NextCall();
};

rpc::Frame PongFrame() {
  pb::ConnectResponse response;
  response.mutable_pong();
  return rpc::FrameOf(response);
}

TEST_CASE_METHOD(SocketFixture, "A message is delivered when it is asked for", "[web]") {
  test::SendAll(client.get(), Text(R"({"ping":{}})") + Text(R"({"ack":{"id":"7"}})"));
  call.stream->Read();
  Wait([&] { return call.messages.size() == 1; });
  CHECK(call.Read<pb::ConnectRequest>().has_ping());
  loop.RunUntil([] { return false; }, std::chrono::milliseconds(50));
  CHECK(call.messages.size() == 1);
  call.stream->Read();
  Wait([&] { return call.messages.size() == 2; });
  CHECK(call.Read<pb::ConnectRequest>(1).ack().id() == 7);

  call.stream->Write(PongFrame());
  CHECK(ReadUntilText(client, "}}") == "\x81\x0b{\"pong\":{}}");
  Wait([&] { return call.written == 1; });
}

TEST_CASE_METHOD(SocketFixture, "Fragments are one message, with a ping between them", "[web]") {
  test::SendAll(client.get(),
                Frame('\x01', R"({"ack":)") + Frame('\x89', "p") + Frame('\x80', R"({"id":"7"}})"));
  call.stream->Read();
  Wait([&] { return call.messages.size() == 1; });
  CHECK(call.Read<pb::ConnectRequest>().ack().id() == 7);
  CHECK(ReadUntilText(client, "p") == "\x8a\x01p");
}

TEST_CASE_METHOD(SocketFixture, "Who speaks protobuf is answered so", "[web]") {
  pb::ConnectRequest request;
  request.mutable_ping();
  test::SendAll(client.get(), Frame('\x82', request.SerializeAsString()));
  call.stream->Read();
  Wait([&] { return call.messages.size() == 1; });
  CHECK(call.Read<pb::ConnectRequest>().has_ping());
  call.stream->Write(PongFrame());
  const std::string pong = PongFrame().head;
  CHECK(ReadUntilText(client, pong) == std::string("\x82") + static_cast<char>(pong.size()) + pong);
}

TEST_CASE_METHOD(SocketFixture, "The broker's end is a close frame with its words", "[web]") {
  auto [status, code, words] = GENERATE(table<absl::Status, int, std::string>({
      {absl::OkStatus(), 1000, ""},
      {absl::PermissionDeniedError("no"), 4007, "no"},
      {absl::UnavailableError(std::string(200, 'x')), 4014, std::string(123, 'x')},
  }));
  call.stream->Finish(status);
  const std::string end = ReadToEnd(client);
  REQUIRE(end.size() == 4 + words.size());
  CHECK(end[0] == '\x88');
  CHECK(((static_cast<unsigned char>(end[2]) << 8) | static_cast<unsigned char>(end[3])) == code);
  CHECK(end.substr(4) == words);
  call.stream.reset();
  client.Close();
  Wait([&] { return server.connections() == 0; });
  CHECK(call.held.use_count() == 1);
}

TEST_CASE_METHOD(SocketFixture, "A client that leaves in order has finished, after its messages",
                 "[web]") {
  test::SendAll(client.get(), Text(R"({"ping":{}})") + Frame('\x88', "\x03\xe8"));
  CHECK(ReadToEnd(client) == "\x88\x02\x03\xe8");
  client.Close();
  call.stream->Read();
  Wait([&] { return call.messages.size() == 1; });
  CHECK_FALSE(call.peer_finished);
  call.stream->Read();
  Wait([&] { return call.peer_finished; });
  CHECK(call.ended.ok());
  call.stream->Finish(absl::OkStatus());
  Wait([&] { return server.connections() == 0; });
}

TEST_CASE_METHOD(SocketFixture, "A client that leaves otherwise is gone", "[web]") {
  const int how = GENERATE(0, 1, 2);
  if (how == 0) {
    client.Reset();
  } else if (how == 1) {
    client.Close();
  } else {
    test::SendAll(client.get(), Frame('\x88', "\x03\xe9"));  // going away
  }
  Wait([&] { return absl::IsCancelled(call.ended); });
}

TEST_CASE_METHOD(SocketFixture, "Messages that nobody asks for stop the reading", "[web]") {
  test::SetNonBlocking(client.get());
  const std::string message =
      Text(R"({"data":{"id":"1","bytes":")" + std::string(60'000, 'A') + "\"}}");
  std::string rest;
  size_t sent = 0;
  bool is_full = false;
  while (!is_full && sent < kTooMuch) {
    is_full = !loop.RunUntil(
        [&] {
          if (rest.empty()) rest = message;
          const size_t now = test::SendSome(client.get(), rest);
          rest.erase(0, now);
          sent += now;
          return now > 0 || sent >= kTooMuch;
        },
        std::chrono::milliseconds(300));
  }
  CHECK(sent < kTooMuch);
}

TEST_CASE_METHOD(SocketFixture, "Pings without a reader of the pongs stop the reading", "[web]") {
  test::SetNonBlocking(client.get());
  std::string pings;
  for (int i = 0; i < 500; ++i) pings += Frame('\x89', std::string(120, 'p'));
  std::string rest;
  size_t sent = 0;
  bool is_full = false;
  while (!is_full && sent < kTooMuch) {
    is_full = !loop.RunUntil(
        [&] {
          if (rest.empty()) rest = pings;
          const size_t now = test::SendSome(client.get(), rest);
          rest.erase(0, now);
          sent += now;
          return now > 0 || sent >= kTooMuch;
        },
        std::chrono::milliseconds(300));
  }
  CHECK(sent < kTooMuch);
}

TEST_CASE_METHOD(WebFixture, "What comes with the handshake is heard like the rest", "[web]") {
  const auto early = Connect();
  const bool leaves = GENERATE(true, false);
  // Going away, or a message.
  const std::string frame = leaves ? Frame('\x88', "\x03\xe9") : Text(R"({"ping":{}})");
  test::SendAll(early.get(), Get("/v1:connect", kUpgrade) + frame);
  PlayedCall& heard = NextCall();
  if (leaves) {
    Wait([&] { return absl::IsCancelled(heard.ended); });
  } else {
    heard.stream->Read();
    Wait([&] { return heard.messages.size() == 1; });
  }
}

}  // namespace
}  // namespace culvert::web
