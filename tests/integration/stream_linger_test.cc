// When gRPC holds nothing of a stream any more.
#include "tests/integration/stream_fixture.h"

namespace culvert::rpc {
namespace {

// The server's end writes more than a client takes that does not read.
struct LingerFixture : StreamFixture {
  std::weak_ptr<int> held;

  explicit LingerFixture(Duration linger) : StreamFixture(true, {.linger = linger}) {
    client.Run([&] { client.log.read_on = false; });
    auto owned = std::make_shared<int>();
    held = owned;
    server.Run([&] {
      server.stream->HoldUntilDone(std::move(owned));
      for (int i = 0; i < 64; ++i) {
        server.stream->Write(Frame{"", Bytes(std::string(64 * 1024, 'x'))});
      }
    });
    owned.reset();
  }
  bool Done() {
    return server.Wait([&] { return held.expired(); });
  }
};

TEST_CASE("Stream that its client does not read is cancelled after its linger", "[stream]") {
  LingerFixture streams(100ms);
  SECTION("when its owner keeps it") { streams.server.Finish(); }
  SECTION("when its owner drops it") {
    streams.server.Run([&] {
      streams.server.stream->Finish(absl::OkStatus());
      streams.server.Own(nullptr);
    });
  }
  CHECK(streams.Done());
}

TEST_CASE("Stream that its client reads is not cancelled while it lingers", "[stream]") {
  LingerFixture streams(30s);
  streams.server.Finish();
  streams.client.Run([&] {
    streams.client.log.read_on = true;
    streams.client.stream->Read();
  });
  REQUIRE(streams.client.Wait([&] { return streams.client.log.ended.has_value(); }));
  CHECK(streams.client.log.ended->ok());
  CHECK(streams.client.log.messages.size() == 64);
  CHECK(streams.Done());
}

TEST_CASE("Stream that is dropped is cancelled at once", "[stream]") {
  LingerFixture streams(30s);
  streams.server.Drop();
  CHECK(streams.Done());
}

TEST_CASE("Stream whose client went away is done at once", "[stream]") {
  LingerFixture streams(30s);
  SECTION("before its end") {}
  SECTION("after its end") { streams.server.Finish(); }
  streams.client.Drop();
  CHECK(streams.Done());
}

TEST_CASE("Client's stream holds what it was given until it is done", "[stream]") {
  StreamFixture streams;
  auto owned = std::make_shared<int>();
  const std::weak_ptr<int> held = owned;
  streams.client.Run([&] { streams.client.stream->HoldUntilDone(std::move(owned)); });
  CHECK_FALSE(held.expired());
  streams.client.Drop();
  CHECK(streams.client.Wait([&] { return held.expired(); }));
}

}  // namespace
}  // namespace culvert::rpc
