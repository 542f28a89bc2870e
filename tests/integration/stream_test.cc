// Client streams against server streams over real gRPC.
#include "tests/integration/stream_fixture.h"

namespace culvert::rpc {
namespace {

TEST_CASE("Streams deliver messages both ways in order", "[stream]") {
  StreamFixture streams;
  for (int i = 0; i < 200; ++i) streams.client.Write("up " + std::to_string(i));
  REQUIRE(streams.server.Wait([&] { return streams.server.log.messages.size() == 200; }));
  for (int i = 0; i < 200; ++i) streams.server.Write("down " + std::to_string(i));
  REQUIRE(streams.client.Wait([&] { return streams.client.log.messages.size() == 200; }));
  for (size_t i = 0; i < 200; ++i) {
    CHECK(streams.server.log.messages[i] == "up " + std::to_string(i));
    CHECK(streams.client.log.messages[i] == "down " + std::to_string(i));
  }
  CHECK(streams.client.Wait([&] { return streams.client.stream->pending_writes() == 0; }));
}

TEST_CASE("Stream tells when everything that was written is out", "[stream]") {
  StreamFixture streams;
  size_t pending = 0;
  int written_inside = 0;
  streams.client.Run([&] {
    for (int i = 0; i < 5; ++i) streams.client.stream->Write(Frame{"x", Bytes()});
    pending = streams.client.stream->pending_writes();
    written_inside = streams.client.log.written;
  });
  CHECK(pending == 5);
  CHECK(written_inside == 0);
  REQUIRE(streams.client.Wait([&] { return streams.client.log.written == 1; }));
  CHECK(streams.client.stream->pending_writes() == 0);
}

TEST_CASE("Streams carry messages up to 1 MiB in two parts", "[stream]") {
  StreamFixture streams;
  const Bytes body(std::string(1024 * 1024 - 4, 'b'));
  streams.client.Run([&] { streams.client.stream->Write(Frame{"head", body}); });
  REQUIRE(streams.server.Wait([&] { return !streams.server.log.messages.empty(); }));
  CHECK(streams.server.log.messages[0] == "head" + std::string(body.view()));
}

TEST_CASE("Stream that carries a message over 1 MiB ends with RESOURCE_EXHAUSTED", "[stream]") {
  StreamFixture streams;
  SECTION("to the server") { streams.client.Write(std::string(1024 * 1024 + 1, 'x')); }
  SECTION("to the client") {
    REQUIRE(streams.WaitForStream());
    streams.server.Write(std::string(1024 * 1024 + 1, 'x'));
  }
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(absl::IsResourceExhausted(*streams.client.log.ended));
  CHECK(streams.server.Wait([&] { return streams.server.log.ended.has_value(); }));
  CHECK(streams.server.log.messages.empty());
}

TEST_CASE("Client's Finish reaches the server behind its messages", "[stream]") {
  StreamFixture streams;
  streams.client.Write("last");
  streams.client.Finish();
  streams.client.Write("ignored");
  REQUIRE(streams.server.Wait([&] { return streams.server.log.peer_finished; }));
  CHECK(streams.server.log.messages == std::vector<std::string>{"last"});
  // The other direction goes on until the server ends it.
  streams.server.Write("still");
  REQUIRE(streams.client.Wait([&] { return streams.client.log.messages.size() == 1; }));
  CHECK_FALSE(streams.client.log.ended.has_value());
  streams.server.Finish();
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(streams.client.log.ended->ok());
  CHECK_FALSE(streams.server.log.ended.has_value());
}

TEST_CASE("Client that half-closes still gets a message for each Read, and then the end",
          "[stream]") {
  StreamFixture streams;
  streams.client.Run([&] {
    streams.client.log.read_on = false;
    streams.client.stream->Write(Frame{"ask", Bytes()});
    streams.client.stream->HalfClose();
    streams.client.stream->Write(Frame{"ignored", Bytes()});
  });
  REQUIRE(streams.server.Wait([&] { return streams.server.log.peer_finished; }));
  CHECK(streams.server.log.messages == std::vector<std::string>{"ask"});
  for (int i = 0; i < 3; ++i) streams.server.Write("answer " + std::to_string(i));
  streams.server.Finish();
  for (size_t i = 1; i <= 3; ++i) {
    REQUIRE(streams.client.Wait([&] { return streams.client.log.messages.size() >= i; }));
    CHECK(streams.client.log.messages.size() == i);
    CHECK_FALSE(streams.client.log.ended.has_value());
    streams.client.Run([&] { streams.client.stream->Read(); });
  }
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(streams.client.log.ended->ok());
}

TEST_CASE("Client reads what the server said last although it can write no more", "[stream]") {
  StreamFixture streams;
  streams.client.Run([&] { streams.client.log.read_on = false; });
  streams.server.Run([&] {
    for (int i = 0; i < 20; ++i) streams.server.stream->Write(Frame{"x", Bytes()});
    streams.server.stream->Finish(absl::UnavailableError("the reason"));
  });
  // Once a write has failed no frame is taken any more, and the stream never looks ready.
  REQUIRE(streams.client.Wait([&] {
    const size_t before = streams.client.stream->pending_writes();
    streams.client.stream->Write(Frame{"x", Bytes()});
    const bool refused = before > 0 && streams.client.stream->pending_writes() == before;
    return refused || streams.client.log.ended.has_value();
  }));
  // It is not asked to read, but what is left is here already.
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(streams.client.log.messages.size() == 20);
  CHECK(absl::IsUnavailable(*streams.client.log.ended));
}

TEST_CASE("Server's Finish gives the client its status behind its messages", "[stream]") {
  StreamFixture streams;
  REQUIRE(streams.WaitForStream());
  const auto code = GENERATE(absl::StatusCode::kOk, absl::StatusCode::kNotFound,
                             absl::StatusCode::kAborted, absl::StatusCode::kUnavailable);
  const absl::Status status = MakeStatus(code, code == absl::StatusCode::kOk ? "" : "the reason");
  streams.server.Run([&] {
    for (int i = 0; i < 10; ++i) streams.server.stream->Write(Frame{"x", Bytes()});
    streams.server.stream->Finish(status);
    streams.server.Own(nullptr);  // an orderly end goes on without its owner
  });
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(streams.client.log.messages.size() == 10);
  CHECK(*streams.client.log.ended == status);
}

TEST_CASE("Client that goes away cancels the server's stream", "[stream]") {
  StreamFixture streams;
  streams.client.Write("hello");
  REQUIRE(streams.server.Wait([&] { return streams.server.log.messages.size() == 1; }));
  streams.client.Drop();
  REQUIRE(streams.server.Wait([&] { return streams.server.log.ended.has_value(); }));
  CHECK(absl::IsCancelled(*streams.server.log.ended));
}

TEST_CASE("Server that goes away cancels the client's stream", "[stream]") {
  StreamFixture streams;
  REQUIRE(streams.WaitForStream());
  streams.server.Drop();
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(absl::IsCancelled(*streams.client.log.ended));
}

TEST_CASE("Stream may be destroyed inside each of its callbacks", "[stream]") {
  StreamFixture streams;
  const bool at_client = GENERATE(true, false);
  const std::string where =
      GENERATE(as<std::string>(), "OnMessage", "OnWritten", "OnEnd", "OnPeerFinished");
  if (at_client && where == "OnPeerFinished") return;
  REQUIRE(streams.WaitForStream());
  StreamEnd& end = at_client ? streams.client : streams.server;
  StreamEnd& other = at_client ? streams.server : streams.client;
  int calls = 0;
  end.Run([&] {
    end.log.hook = [&](const char* callback) {
      ++calls;
      if (callback == where) end.Own(nullptr);
    };
  });
  if (where == "OnMessage") {
    other.Run([&] {
      for (int i = 0; i < 3; ++i) other.stream->Write(Frame{"x", Bytes()});
    });
  } else if (where == "OnWritten") {
    end.Write("x");
  } else if (where == "OnPeerFinished") {
    other.Finish();
  } else {
    other.Drop();
  }
  REQUIRE(end.Wait([&] { return end.stream == nullptr; }));
  // Nothing is called after that; the fixture's end waits for what gRPC still has under way.
  const int before = calls;
  other.Run([&] {
    if (other.stream != nullptr) other.stream->Write(Frame{"x", Bytes()});
  });
  end.Run([] {});
  CHECK(calls == before);
}

TEST_CASE("Stream may be destroyed while a write is in flight", "[stream]") {
  StreamFixture streams(/*server_reads=*/false);
  REQUIRE(streams.WaitForStream());
  StreamEnd& end = GENERATE(true, false) ? streams.client : streams.server;
  const Bytes body(std::string(512 * 1024, 'x'));
  end.Run([&] {
    for (int i = 0; i < 20; ++i) end.stream->Write(Frame{"", body});
  });
  end.Drop();
  CHECK(end.log.written == 0);
}

TEST_CASE("Stream asks for one message at a time", "[stream]") {
  StreamFixture streams;
  REQUIRE(streams.WaitForStream());
  streams.server.Run([&] {
    streams.server.log.read_on = false;
    streams.server.stream->Read();  // one is outstanding: ignored
  });
  for (int i = 0; i < 3; ++i) streams.client.Write("x");
  REQUIRE(streams.client.Wait([&] { return streams.client.stream->pending_writes() == 0; }));
  REQUIRE(streams.server.Wait([&] { return streams.server.log.messages.size() == 1; }));
  streams.server.Run([&] { streams.server.stream->Read(); });
  CHECK(streams.server.Wait([&] { return streams.server.log.messages.size() == 2; }));
}

TEST_CASE("Server's Shutdown cancels live streams after the grace", "[stream]") {
  StreamFixture streams;
  REQUIRE(streams.WaitForStream());
  streams.grpc_server->Shutdown(50ms);
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK_FALSE(streams.client.log.ended->ok());
  CHECK(streams.server.Wait([&] { return streams.server.log.ended.has_value(); }));
}

TEST_CASE("Stream to a broker that is not there ends with UNAVAILABLE", "[stream]") {
  net::LoopThread thread;
  StreamLog log;
  std::unique_ptr<Connection> connection;
  std::unique_ptr<Stream> stream;
  std::string address;
  thread.Run([&] {
    // A port that was free a moment ago.
    auto listener = net::FdListener::Bind(thread.loop(), *net::Address::FromLiteral("127.0.0.1", 0),
                                          [](int, net::Address) {});
    address = (*listener)->address().ToString();
  });
  thread.Run([&] {
    connection = std::make_unique<Connection>(thread.loop(), address, Credentials::Insecure());
    stream = connection->Start(Method::kListen);
    stream->SetDelegate(&log);
    stream->Write(Frame{"never sent", Bytes()});
    stream->Read();
  });
  CHECK(test::Eventually(
      [&] {
        bool ended = false;
        thread.Run([&] { ended = log.ended.has_value(); });
        return ended;
      },
      10s));
  CHECK(absl::IsUnavailable(*log.ended));
  thread.Run([&] {
    stream.reset();
    connection.reset();
  });
}

}  // namespace
}  // namespace culvert::rpc
