#include "tests/unit/web/web_fixture.h"

namespace culvert::web {
namespace {

namespace pb = ntt::proxies::v1;

rpc::Frame ChangeFrame(const std::string& name) {
  pb::WatchProjectResponse response;
  response.mutable_change()->mutable_current()->mutable_project()->set_name(name);
  return rpc::FrameOf(response);
}

constexpr char kLine[] = "{\"change\":{\"current\":{\"project\":{\"name\":\"projects/a\"}}}}\n";

TEST_CASE_METHOD(WebFixture, "A watch answers a line at once, and another", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects/a:watch?view=FULL", R"({"fieldMask":"name"})"));
  PlayedCall& call = NextRead();
  CHECK(call.info.method == rpc::StreamInfo::Method::kWatchProject);
  const auto request = call.Read<pb::WatchProjectRequest>();
  CHECK(request.name() == "projects/a");
  CHECK(request.field_mask().paths(0) == "name");
  CHECK(request.view() == goten::types::FULL);

  call.stream->Write(ChangeFrame("projects/a"));
  CHECK(call.stream->pending_writes() == 1);
  const std::string begun = ReadUntilText(client, kLine);
  CHECK(begun.find("\r\nContent-Type: application/x-ndjson\r\n") != std::string::npos);
  CHECK(begun.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos);
  Wait([&] { return call.written == 1; });
  CHECK(call.stream->pending_writes() == 0);
  call.stream->Write(ChangeFrame("projects/a"));
  ReadUntilText(client, kLine);

  call.stream->Finish(absl::DataLossError("gone"));
  const std::string end = ReadUntilText(client, "0\r\n\r\n");
  CHECK(end.find("{\"error\":{\"code\":15,\"message\":\"gone\",\"details\":[]}}\n") !=
        std::string::npos);
  // The connection goes on.
  test::SendAll(client.get(), Get("/healthz"));
  ReadUntilText(client, "ok\n");
}

TEST_CASE_METHOD(WebFixture, "A watch that is refused is an HTTP error", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects:watch", ""));
  NextRead().stream->Finish(absl::PermissionDeniedError("no"));
  CHECK(ReadUntilText(client, "details").find("HTTP/1.1 403 Forbidden\r\n") == 0);
}

TEST_CASE_METHOD(WebFixture, "A watch that ends without a line is empty", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects:watch", ""));
  NextRead().stream->Finish(absl::OkStatus());
  CHECK(ReadUntilText(client, "0\r\n\r\n").find("HTTP/1.1 200 OK\r\n") == 0);
}

TEST_CASE_METHOD(WebFixture, "A watch of HTTP/1.0 ends with its connection", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), "POST /v1/projects/a:watch HTTP/1.0\r\n\r\n");
  PlayedCall& call = NextRead();
  call.stream->Write(ChangeFrame("projects/a"));
  call.stream->Finish(absl::OkStatus());
  const std::string all = ReadToEnd(client);
  CAPTURE(all);
  CHECK(all.find("chunked") == std::string::npos);
  CHECK(all.find(std::string("\r\n\r\n") + kLine) != std::string::npos);
}

TEST_CASE_METHOD(WebFixture, "A watch hears that its client is gone, or ends its side", "[web]") {
  const bool reset = GENERATE(false, true);
  auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects/a:watch", ""));
  PlayedCall& call = NextRead();
  if (reset) {
    client.Reset();
  } else {
    REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  }
  Wait([&] { return absl::IsCancelled(call.ended); });
  Wait([&] { return server.connections() == 0; });
}

TEST_CASE_METHOD(WebFixture, "A client that does not read stops its watch", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects/a:watch", ""));
  PlayedCall& call = NextRead();
  const std::string name(100'000, 'x');
  int sent = 0;
  const auto write_when_taken = [&] {
    while (call.stream->pending_writes() == 0 && sent < 200) {
      call.stream->Write(ChangeFrame(name));
      ++sent;
    }
  };
  // The kernel takes some megabytes; then a line stays where it is.
  int before = -1;
  while (sent != before && sent < 200) {
    before = sent;
    write_when_taken();
    loop.RunUntil([&] { return call.stream->pending_writes() == 0; },
                  std::chrono::milliseconds(200));
  }
  CHECK(call.stream->pending_writes() == 1);
  CHECK(sent < 200);
  const auto all = ReadUntil(client, [&](const test::PeerRead& got) {
    return got.bytes.size() > static_cast<size_t>(sent) * name.size();
  });
  Wait([&] { return call.stream->pending_writes() == 0; });
}

struct ShortLingerFixture : WebFixture {
  static Connection::Times Some() {
    Connection::Times times;
    times.linger = std::chrono::milliseconds(300);
    return times;
  }
  ShortLingerFixture() : WebFixture(Some()) {}
};

TEST_CASE_METHOD(ShortLingerFixture, "A watch lives between lines, and not before an unread one",
                 "[web]") {
  send_buffer = 64 * 1024;
  const auto client = Connect();
  test::SendAll(client.get(), Post("/v1/projects/a:watch", ""));
  PlayedCall& call = NextRead();
  call.stream->Write(ChangeFrame("projects/a"));
  ReadUntilText(client, "}}}}\n");
  loop.RunUntil([] { return false; }, std::chrono::milliseconds(900));
  CHECK(call.ended.ok());
  CHECK(server.connections() == 1);
  const std::string name(1'000'000, 'x');
  int sent = 0;
  Wait([&] {
    if (call.ended.ok() && call.stream->pending_writes() == 0 && sent < 50) {
      call.stream->Write(ChangeFrame(name));
      ++sent;
    }
    return server.connections() == 0 || sent == 50;
  });
  CHECK(sent < 50);
  CHECK(absl::IsCancelled(call.ended));
}

}  // namespace
}  // namespace culvert::web
