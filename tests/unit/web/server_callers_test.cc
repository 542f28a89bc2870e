#include "tests/unit/web/web_fixture.h"

namespace culvert::web {
namespace {

constexpr char kHandshake[] =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

std::string HeadOfPost(const std::string& path, size_t length, const std::string& fields = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
         fields + "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

TEST_CASE_METHOD(WebFixture, "Nobody's request is refused by its head alone", "[web]") {
  caller = std::nullopt;
  const auto request = GENERATE(values<std::string>({
      HeadOfPost("/v1/projects", 1'000'000, "Expect: 100-continue\r\n"),
      HeadOfPost("/v1/projects", 1'000'000) + "{",
      HeadOfPost("/v1/projects:watch", 1'000'000),
      // That the query is of no use is not looked at.
      Get("/v1/projects?nothing=1"),
      Get("/v1:connect", kHandshake),
  }));
  CAPTURE(request);
  const auto client = Connect();
  test::SendAll(client.get(), request);
  PlayedCall& call = NextRead();
  CHECK(call.messages.front().empty());
  call.stream->Finish(absl::UnauthenticatedError("who are you"));
  const std::string answer = ReadToEnd(client);
  CHECK(answer.find("HTTP/1.1 401 Unauthorized\r\n") == 0);
  CHECK(answer.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(answer.find("who are you") != std::string::npos);
}

TEST_CASE_METHOD(WebFixture, "Pages are for nobody too, and take no body", "[web]") {
  caller = std::nullopt;
  const auto client = Connect();
  test::SendAll(client.get(), Get("/openapi.json") + Get("/healthz"));
  CHECK(ReadUntilText(client, "ok\n").find("HTTP/1.1 200 OK\r\n") == 0);
  test::SendAll(client.get(), HeadOfPost("/v1/nothing", 1'000'000));
  const std::string answer = ReadToEnd(client);
  CHECK(answer.find("HTTP/1.1 404 ") == 0);
  CHECK(answer.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(calls.empty());
}

struct BodiesFixture : WebFixture {
  // Bodies that are not whole until somebody is told that there are too many.
  bool FillUp(size_t most) {
    while (clients.size() < most) {
      clients.push_back(Connect());
      test::SetNonBlocking(clients.back().get());
      std::string rest = HeadOfPost("/v1/projects", kBody + 1) + std::string(kBody, 'x');
      Wait([&] {
        rest.erase(0, test::SendSome(clients.back().get(), rest));
        return rest.empty() || IsRefused();
      });
      loop.RunUntil([this] { return IsRefused(); }, std::chrono::milliseconds(20));
      if (refused) return true;
    }
    loop.RunUntil([this] { return IsRefused(); }, std::chrono::seconds(1));
    return refused;
  }
  bool IsRefused() {
    for (const test::Fd& client : clients) {
      refused = refused || test::ReadNow(client.get()).bytes.find("HTTP/1.1 503 ") == 0;
    }
    return refused;
  }

  static constexpr size_t kBody = 1'000'000;
  std::vector<test::Fd> clients;
  bool refused = false;
};

TEST_CASE_METHOD(BodiesFixture, "Nobody's bodies are in another's way", "[web]") {
  const auto socket = Connect();
  caller = "carol";
  test::SendAll(socket.get(), Get("/v1:connect", kHandshake));
  CHECK(ReadUntilText(socket, "\r\n\r\n").find("HTTP/1.1 101 ") == 0);
  PlayedCall& channel = NextCall();

  caller = "alice";
  CHECK(FillUp(12));
  CHECK(clients.size() == WebShared::kMostOfOne / kBody + 1);

  caller = "bob";
  const auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects", "{}"));
  NextRead().stream->Finish(absl::AlreadyExistsError("there"));
  CHECK(ReadUntilText(client, "details").find("HTTP/1.1 409 ") == 0);

  // Nor do bodies of all end a WebSocket.
  bool is_full = false;
  for (int i = 0; i < 9 && !is_full; ++i) {
    caller = "user " + std::to_string(i);
    refused = false;
    is_full = FillUp(clients.size() + 8);
  }
  CHECK(is_full);
  test::SendAll(socket.get(), std::string("\x81\x8b\0\0\0\0{\"ping\":{}}", 17));
  channel.stream->Read();
  Wait([&] { return channel.messages.size() == 1; });
  CHECK(channel.ended.ok());
}

}  // namespace
}  // namespace culvert::web
