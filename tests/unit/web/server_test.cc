#include "web/server.h"

#include "tests/unit/web/web_fixture.h"

namespace culvert::web {
namespace {

namespace pb = ntt::proxies::v1;

using test::SendAll;

rpc::Frame ProjectFrame(const std::string& name) {
  pb::Project project;
  project.set_name(name);
  return rpc::FrameOf(project);
}

TEST_CASE_METHOD(WebFixture, "A request is a call, and its answer is one", "[web]") {
  const auto client = Connect();
  SendAll(client.get(), Get("/v1/projects/lab?view=NAME", "Authorization: Bearer x\r\n"));
  PlayedCall& call = NextRead();
  CHECK(call.info.method == rpc::StreamInfo::Method::kGetProject);
  CHECK(call.info.peer == "127.0.0.1");
  CHECK(call.info.port == test::PortOf(client.get()));
  CHECK(call.info.authorization == "Bearer x");
  CHECK(call.info.certificate.empty());
  CHECK(call.Read<pb::GetProjectRequest>().name() == "projects/lab");
  call.stream->Read();
  Wait([&] { return call.peer_finished; });

  call.stream->Write(ProjectFrame("projects/lab"));
  call.stream->Finish(absl::OkStatus());
  CHECK(ReadUntilText(client, "\r\n\r\n").find("HTTP/1.1 200 OK\r\n") == 0);
  call.stream.reset();
  // What counts the call is let go when its client has the answer.
  Wait([&] { return call.held.use_count() == 1; });

  SendAll(client.get(), Get("/v1/projects/other"));
  PlayedCall& next = NextRead();
  next.stream->Finish(absl::NotFoundError("none \"here\""));
  const std::string answer = ReadUntilText(client, "details");
  CHECK(answer.find("HTTP/1.1 404 Not Found\r\n") == 0);
  CHECK(answer.find(R"({"code":5,"message":"none \"here\"","details":[]})") != std::string::npos);
}

TEST_CASE_METHOD(WebFixture, "Requests that come together are answered in order", "[web]") {
  const auto client = Connect();
  SendAll(client.get(), Get("/v1/projects/a") + Get("/v1/projects/b") + Get("/healthz"));
  PlayedCall& first = NextRead();
  CHECK(first.Read<pb::GetProjectRequest>().name() == "projects/a");
  CHECK(calls.size() == 1);
  first.stream->Write(ProjectFrame("projects/a"));
  first.stream->Finish(absl::OkStatus());
  PlayedCall& second = NextRead();
  CHECK(second.Read<pb::GetProjectRequest>().name() == "projects/b");
  second.stream->Write(ProjectFrame("projects/b"));
  second.stream->Finish(absl::OkStatus());
  const std::string answers = ReadUntilText(client, "ok\n");
  CHECK(answers.find("projects/a") < answers.find("projects/b"));
}

TEST_CASE_METHOD(WebFixture, "A call whose stream is dropped or never answers is told", "[web]") {
  const auto client = Connect();
  SendAll(client.get(), Get("/v1/projects/a"));
  NextCall().stream.reset();
  CHECK(ReadUntilText(client, "details").find("HTTP/1.1 499 ") == 0);
  SendAll(client.get(), Get("/v1/projects/a"));
  NextCall().stream->Finish(absl::OkStatus());
  CHECK(ReadUntilText(client, "details").find("HTTP/1.1 500 ") == 0);
}

TEST_CASE_METHOD(WebFixture, "A call hears that its client is gone", "[web]") {
  auto client = Connect();
  SendAll(client.get(), Get("/v1/projects/a"));
  PlayedCall& call = NextRead();
  client.Reset();
  Wait([&] { return !call.ended.ok(); });
  CHECK(absl::IsCancelled(call.ended));
  call.stream->Write(ProjectFrame("projects/a"));  // too late, and harmless
  call.stream->Finish(absl::OkStatus());
  Wait([&] { return server.connections() == 0; });
  CHECK(call.held.use_count() == 1);
}

TEST_CASE_METHOD(WebFixture, "A client that has ended its side has its answer", "[web]") {
  const auto client = Connect();
  SendAll(client.get(), Get("/v1/projects/a"));
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  PlayedCall& call = NextRead();
  call.stream->Write(ProjectFrame("projects/a"));
  call.stream->Finish(absl::OkStatus());
  CHECK(ReadToEnd(client).find("HTTP/1.1 200 OK\r\n") == 0);
}

TEST_CASE_METHOD(WebFixture, "A client that has ended its side has all its answers", "[web]") {
  const auto client = Connect();
  const bool is_whole = GENERATE(true, false);  // whether the last request is
  const std::string last = Get("/v1/projects/b");
  SendAll(client.get(), Get("/v1/projects/a") + last.substr(0, last.size() - (is_whole ? 0 : 1)));
  REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
  PlayedCall& first = NextRead();
  loop.RunUntil([] { return false; }, std::chrono::milliseconds(50));
  first.stream->Write(ProjectFrame("projects/a"));
  first.stream->Finish(absl::OkStatus());
  if (is_whole) NextRead().stream->Finish(absl::NotFoundError("none"));
  const std::string answers = ReadToEnd(client);
  CHECK(answers.find("HTTP/1.1 200 OK\r\n") == 0);
  CHECK((answers.find("HTTP/1.1 404 ") != std::string::npos) == is_whole);
  CHECK(calls.size() == (is_whole ? 2 : 1));
}

TEST_CASE_METHOD(WebFixture, "A client that waits is told to go on", "[web]") {
  const auto client = Connect();
  SendAll(client.get(),
          "POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
          "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(ReadUntilText(client, "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  SendAll(client.get(), "{}");
  NextRead().stream->Finish(absl::AlreadyExistsError("there"));
  CHECK(ReadUntilText(client, "details").find("HTTP/1.1 409 Conflict\r\n") == 0);
}

TEST_CASE_METHOD(WebFixture, "A refused head ends the connection after its answer", "[web]") {
  const auto client = Connect();
  SendAll(client.get(),
          "POST /v1/projects HTTP/1.1\r\nHost: localhost\r\nOrigin: x\r\n"
          "Content-Length: 1000000\r\n\r\n");
  // What is still under way would reset the connection, if it were closed over it.
  SendAll(client.get(), std::string(100'000, 'x'));
  const std::string answer = ReadToEnd(client);
  CHECK(answer.find("HTTP/1.1 403 Forbidden\r\n") == 0);
  CHECK(answer.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(answer.find("Access-Control") == std::string::npos);
  CHECK(calls.empty());
}

TEST_CASE_METHOD(WebFixture, "A draining server ends connections after the request under way",
                 "[web]") {
  const auto idle = Connect();
  SendAll(idle.get(), Get("/healthz"));
  CHECK(ReadUntilText(idle, "ok\n").find("HTTP/1.1 200") == 0);
  const auto busy = Connect();
  SendAll(busy.get(), Get("/v1/projects/a"));
  PlayedCall& call = NextRead();
  server.Drain();
  CHECK(ReadToEnd(idle).empty());
  call.stream->Finish(absl::UnavailableError("going"));
  CHECK(ReadToEnd(busy).find("HTTP/1.1 503 ") == 0);
}

}  // namespace
}  // namespace culvert::web
