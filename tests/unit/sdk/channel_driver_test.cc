#include "sdk/channel_driver.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "tests/support/catch.h"
#include "tests/unit/sdk/driven_channel.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using test::Driven;
using test::EndpointLog;
using test::kLegacy;

TEST_CASE("ChannelDriver is done in time with a peer that confirms nothing", "[channel_driver]") {
  Driven driven(tunnel::kOwnCapabilities, 100ms);
  driven.Start();
  driven.driver->OnEndpointStop(absl::AbortedError("broken"));
  REQUIRE(driven.Sent<tunnel::Error>(0) != nullptr);
  CHECK_FALSE(driven.endpoint.closed->ok());
  CHECK(driven.ended == 1);
  CHECK(driven.done == 0);
  // What it goes on to say buys it no time.
  const MonotonicTime began = driven.loop.Now();
  uint64_t id = 0;
  CHECK(driven.loop.RunUntil(
      [&] {
        if (driven.done == 0) driven.From().OnPathMessage(tunnel::Data{++id, Bytes(), true, false});
        return driven.done == 1;
      },
      5s));
  CHECK(driven.loop.Now() - began >= 99ms);
  CHECK(driven.path.destroyed);
  CHECK(driven.ended == 1);
}

TEST_CASE("ChannelDriver ends its path once, however much comes after the end",
          "[channel_driver]") {
  Driven driven;
  driven.Start();
  driven.driver->OnEndpointStop(absl::AbortedError("broken"));
  driven.From().OnPathMessage(tunnel::Ack{1, std::nullopt});
  CHECK(driven.path.finished == 1);
  driven.From().OnPathMessage(tunnel::Data{1, Bytes(), true, false});
  driven.From().OnPathReady();
  CHECK(driven.path.finished == 1);
  CHECK(driven.done == 0);
  driven.From().OnPathEnd(absl::OkStatus());
  CHECK(driven.done == 1);
}

TEST_CASE("ChannelDriver does not ask again and again for a path that takes nothing",
          "[channel_driver]") {
  Driven driven;
  driven.Start();
  driven.path.ready = false;
  driven.From().OnPathMessage(tunnel::Data{1, Bytes::Copy("x"), false, false});
  driven.path.asked = 0;
  driven.loop.RunUntil([] { return false; }, 100ms);
  CHECK(driven.path.asked < 5);
  driven.path.ready = true;
  driven.From().OnPathReady();
  CHECK(driven.Sent<tunnel::Ack>(0) != nullptr);
}

TEST_CASE("ChannelDriver sends the bytes of a chunk before its end", "[channel_driver]") {
  const auto kind = GENERATE(Chunk::Kind::kEndOfStream, Chunk::Kind::kClose);
  Driven driven;
  driven.endpoint.chunks.push_back(Chunk::Data(Bytes(std::string(1024, 'x'))));
  driven.endpoint.chunks.push_back(Chunk{kind, Bytes::Copy("last words")});
  driven.Start(tunnel::CostOf(1024));
  REQUIRE(driven.path.sent.size() == 1);  // the window holds the rest back, and the end with it
  driven.From().OnPathMessage(tunnel::Ack{1, 1024});
  std::string rest;
  bool ended = false;
  for (size_t i = 1; i < driven.path.sent.size(); ++i) {
    const auto* data = driven.Sent<tunnel::Data>(i);
    REQUIRE(data != nullptr);
    CHECK_FALSE(ended);
    rest += data->bytes.view();
    ended = data->end_of_stream;
  }
  CHECK(rest == "last words");
  CHECK(ended);
}

TEST_CASE("ChannelDriver asks its endpoint for what one message can carry", "[channel_driver]") {
  Driven driven;
  driven.path.best_payload = 3000;
  driven.Start(/*peer_window=*/100'000);
  CHECK(driven.endpoint.chunk_size == 3000);

  // An endpoint that gives more has it cut.
  driven.endpoint.answer(Chunk::Data(Bytes(std::string(7000, 'x'))));
  REQUIRE(driven.path.sent.size() == 3);
  CHECK(driven.Sent<tunnel::Data>(0)->bytes.size() == 3000);
  CHECK(driven.Sent<tunnel::Data>(1)->bytes.size() == 3000);
  CHECK(driven.Sent<tunnel::Data>(2)->bytes.size() == 1000);
}

TEST_CASE("ChannelDriver sends a legacy peer a quarter of what is kept for it at a time",
          "[channel_driver]") {
  Driven driven(kLegacy);
  driven.Start(/*peer_window=*/0);
  CHECK(driven.endpoint.chunk_size ==
        tunnel::SendWindow::kLegacyKept / 4 - tunnel::kMessageOverhead);
}

TEST_CASE("ChannelDriver takes less at a time where other channels are busy", "[channel_driver]") {
  Driven driven;
  driven.Start(/*peer_window=*/1'000'000);
  std::array<BusyChannels::Mark, 9> others;
  // Once more if a span ends meanwhile.
  const auto ask = [&] {
    for (BusyChannels::Mark& other : others) {
      driven.shares.busy.OnSent(other, BusyChannels::kMuch, MonotonicNow());
    }
    driven.endpoint.answer(Chunk::Data(Bytes("x")));
    return driven.endpoint.chunk_size == BusyChannels::kLeast;
  };
  CHECK((ask() || ask()));
}

TEST_CASE("ChannelDriver asks its endpoint for no more than the window has room for",
          "[channel_driver]") {
  Driven driven;
  driven.Start(/*peer_window=*/100'000);
  CHECK(driven.endpoint.chunk_size == 100'000 - tunnel::kMessageOverhead);
  driven.endpoint.answer(Chunk::Data(Bytes(std::string(90'000, 'x'))));
  CHECK(driven.endpoint.chunk_size == 10'000 - 2 * tunnel::kMessageOverhead);
}

TEST_CASE("ChannelDriver takes an endpoint's word before its path is there", "[channel_driver]") {
  Driven driven;
  SECTION("an end in order") {
    driven.driver->OnEndpointStop(absl::OkStatus());
    driven.Start();
    REQUIRE(driven.Sent<tunnel::Data>(0) != nullptr);
    CHECK(driven.Sent<tunnel::Data>(0)->end_of_stream);
  }
  SECTION("an abort") {
    driven.driver->OnEndpointStop(absl::AbortedError("broken"));
    CHECK(driven.ended == 1);
    driven.Start();
    CHECK(driven.Sent<tunnel::Error>(0) != nullptr);
  }
}

TEST_CASE("ChannelDriver closes an endpoint once, though it answers while it is closed",
          "[channel_driver]") {
  EndpointLog endpoint;
  SECTION("by the end of the channel") {
    Driven driven;
    driven.Start();
    driven.driver->OnEndpointStop(ErrorStatus(ErrorCode::kRefused, "broken"));
    CHECK(driven.ended == 1);
    endpoint = std::move(driven.endpoint);
    CHECK(ErrorCodeOf(*endpoint.closed) == ErrorCode::kRefused);
  }
  SECTION("by the end of the driver") {
    Driven driven;
    driven.Start();
    driven.driver.reset();
    CHECK(driven.ended == 0);
    CHECK(driven.done == 0);
    endpoint = std::move(driven.endpoint);
    CHECK(ErrorCodeOf(*endpoint.closed) == ErrorCode::kShutdown);
  }
  CHECK(endpoint.closes == 1);
}

TEST_CASE("ChannelDriver calls an end clean only once a legacy peer was sent everything",
          "[channel_driver]") {
  Driven driven(kLegacy);
  driven.endpoint.chunks.push_back(Chunk::Data(Bytes::Copy("unsent")));
  driven.path.ready = false;
  driven.Start();
  driven.endpoint.finish();
  CHECK_FALSE(driven.endpoint.closed.has_value());
  SECTION("and it was") {
    driven.path.ready = true;
    driven.From().OnPathReady();
    CHECK(driven.Sent<tunnel::Close>(1) != nullptr);
    REQUIRE(driven.endpoint.closed.has_value());
    CHECK(driven.endpoint.closed->ok());
  }
  SECTION("and the path was lost before") {
    driven.From().OnPathEnd(absl::UnavailableError("gone"));
    CHECK(driven.loop.RunUntil([&] { return driven.done == 1; }, 5s));
    REQUIRE(driven.endpoint.closed.has_value());
    CHECK_FALSE(driven.endpoint.closed->ok());
    CHECK(driven.done == 1);
  }
}

}  // namespace
}  // namespace culvert
