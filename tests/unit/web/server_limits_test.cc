#include "tests/unit/web/web_fixture.h"

namespace culvert::web {
namespace {

using std::chrono::milliseconds;

Connection::Times ShortTimes() {
  return {milliseconds(200), milliseconds(200), milliseconds(200), milliseconds(200)};
}

// Times that are short enough to wait for.
struct ShortTimesFixture : WebFixture {
  ShortTimesFixture() : WebFixture(ShortTimes()) {}
};

TEST_CASE_METHOD(ShortTimesFixture, "A connection that says nothing is closed", "[web]") {
  const auto client = Connect();
  CHECK(ReadToEnd(client).empty());
}

TEST_CASE_METHOD(ShortTimesFixture, "A head that comes in drops is not waited for", "[web]") {
  const auto client = Connect();
  const std::string head = Get("/healthz", "X: " + std::string(10'000, 'x') + "\r\n");
  size_t sent = 0;
  MonotonicTime last = loop.Now();
  const auto all = ReadUntil(client, [&](const test::PeerRead& got) {
    if (loop.Now() - last >= milliseconds(10)) {
      last = loop.Now();
      sent += test::SendSome(client.get(), head.substr(sent, 1));
    }
    return got.eof || got.error != 0;
  });
  CHECK(all.bytes.empty());
  CHECK(sent < head.size());
}

TEST_CASE_METHOD(ShortTimesFixture, "A body that does not come is not waited for", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(),
                "POST /v1/projects HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Length: 2\r\n\r\n{");
  CHECK(ReadToEnd(client).empty());
  CHECK(calls.empty());
}

TEST_CASE_METHOD(ShortTimesFixture, "A connection without a next request is closed", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), Get("/healthz"));
  ReadUntilText(client, "ok\n");
  CHECK(ReadToEnd(client).empty());
  Wait([&] { return server.connections() == 0; });
}

TEST_CASE_METHOD(ShortTimesFixture, "An answer under way may take its time", "[web]") {
  const auto client = Connect();
  test::SendAll(client.get(), Get("/v1/projects/a"));
  PlayedCall& call = NextRead();
  loop.RunUntil([] { return false; }, milliseconds(600));
  CHECK(call.ended.ok());
  call.stream->Finish(absl::NotFoundError("none"));
  CHECK(ReadUntilText(client, "details").find("HTTP/1.1 404 ") == 0);
}

TEST_CASE_METHOD(ShortTimesFixture, "An answer that is read slowly is waited for, else not",
                 "[web]") {
  const bool reads = GENERATE(true, false);
  send_buffer = 64 * 1024;
  const auto client = Connect();
  test::SendAll(client.get(), Get("/v1/projects/a"));
  PlayedCall& call = NextRead();
  ntt::proxies::v1::Project project;
  project.set_name(std::string(size_t{16} * 1024 * 1024, 'x'));  // more than the kernel takes
  call.stream->Write(rpc::FrameOf(project));
  call.stream->Finish(absl::OkStatus());
  std::string part(size_t{64} * 1024, '\0');
  size_t got = 0;
  MonotonicTime last = loop.Now();
  const MonotonicTime start = last;
  loop.RunUntil(
      [&] {
        if (reads && loop.Now() - last >= milliseconds(20)) {
          last = loop.Now();
          const ssize_t now = ::recv(client.get(), part.data(), part.size(), MSG_DONTWAIT);
          got += now > 0 ? static_cast<size_t>(now) : 0;
        }
        return server.connections() == 0 || loop.Now() - start > milliseconds(1500);
      },
      kLimit);
  CHECK((server.connections() == 1) == reads);
  CHECK((got > 0 && got < project.name().size()) == reads);
}

TEST_CASE_METHOD(WebFixture, "What is read of a client that does not wait is bounded", "[web]") {
  const auto client = Connect();
  test::SetNonBlocking(client.get());
  test::SendAll(client.get(), Get("/v1/projects/a"));
  NextRead();
  // Requests on requests, while the first one is not answered.
  const std::string more(64 * 1024, 'x');
  size_t sent = 0;
  size_t before = 1;
  constexpr size_t kTooMuch = size_t{32} * 1024 * 1024;
  while (sent != before && sent < kTooMuch) {
    before = sent;
    loop.RunUntil(
        [&] {
          const size_t now = test::SendSome(client.get(), more);
          sent += now;
          return now == 0 || sent >= kTooMuch;
        },
        milliseconds(300));
    loop.RunUntil([&] { return test::SendSome(client.get(), "x") == 1; }, milliseconds(300));
  }
  CHECK(sent < kTooMuch);
}

// Times that let a client take something, and not for ever.
struct ShortAnswerFixture : WebFixture {
  static Connection::Times Some() {
    Connection::Times times = ShortTimes();
    times.answer = milliseconds(500);
    return times;
  }
  ShortAnswerFixture() : WebFixture(Some()) {}
};

TEST_CASE_METHOD(ShortAnswerFixture, "An answer that is read slowly is not waited for for ever",
                 "[web]") {
  send_buffer = 64 * 1024;
  const auto client = Connect();
  test::SendAll(client.get(), Get("/v1/projects/a"));
  PlayedCall& call = NextRead();
  ntt::proxies::v1::Project project;
  project.set_name(std::string(size_t{32} * 1024 * 1024, 'x'));
  call.stream->Write(rpc::FrameOf(project));
  call.stream->Finish(absl::OkStatus());
  std::string part(size_t{64} * 1024, '\0');
  size_t got = 0;
  MonotonicTime last = loop.Now();
  Wait([&] {
    if (loop.Now() - last >= milliseconds(20)) {
      last = loop.Now();
      const ssize_t now = ::recv(client.get(), part.data(), part.size(), MSG_DONTWAIT);
      got += now > 0 ? static_cast<size_t>(now) : 0;
    }
    return server.connections() == 0;
  });
  CHECK(got > 0);
  CHECK(got < project.name().size());
}

TEST_CASE("Budget is one for all shares", "[web]") {
  Budget budget(100, 100);
  Budget::Share first(budget, "a");
  CHECK(first.Set(60));
  {
    Budget::Share second(budget, "b");
    CHECK(second.Set(40));
    CHECK_FALSE(second.Set(41));
    CHECK(second.Set(10));  // less is always taken
    CHECK(first.Set(90));
  }
  CHECK(first.Set(100));
  CHECK_FALSE(first.Set(101));
}

TEST_CASE("Budget has a part of it for each caller", "[web]") {
  Budget budget(100, 50);
  Budget::Share first(budget, "a");
  CHECK(first.Set(40));
  {
    Budget::Share second(budget, "a");
    CHECK(second.Set(10));
    CHECK_FALSE(second.Set(11));
    Budget::Share other(budget, "b");
    CHECK(other.Set(49));
  }
  CHECK(first.Set(50));
  CHECK_FALSE(first.Set(51));
}

}  // namespace
}  // namespace culvert::web
