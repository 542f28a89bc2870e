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
using test::FakePath;
using test::kLegacy;
using test::PathLog;

const absl::Status kGone = absl::UnavailableError("gone");

// The first path is lost and the owner has heard of it.
void Lose(Driven& driven) {
  driven.resumes = true;
  const size_t before = driven.lost.size();
  driven.From().OnPathEnd(kGone);
  CHECK(driven.lost.size() == before);  // not inside the call
  CHECK(driven.loop.RunUntil([&] { return driven.lost.size() > before; }, 5s));
  CHECK(driven.lost.back() == kGone);
}

void Resume(Driven& driven, PathLog& path, uint32_t attempt, uint64_t peer_last_id,
            uint64_t peer_window = 1024) {
  driven.driver->Resume(attempt, std::make_unique<FakePath>(path), peer_last_id, peer_window);
}

TEST_CASE("ChannelDriver sends again on a new path what the other end has not received",
          "[channel_driver][resume]") {
  Driven driven;
  for (const char* words : {"one", "two", "three"}) {
    driven.endpoint.chunks.push_back(Chunk::Data(Bytes::Copy(words)));
  }
  driven.Start(1 << 16);
  REQUIRE(driven.path.sent.size() == 3);
  Lose(driven);
  CHECK(driven.driver->suspended_since().has_value());
  CHECK_FALSE(driven.endpoint.closed.has_value());
  PathLog second;
  Resume(driven, second, 2, 1);
  CHECK_FALSE(driven.driver->suspended_since().has_value());
  std::string replayed;
  for (const tunnel::Message& message : second.sent) {
    if (const auto* data = std::get_if<tunnel::Data>(&message)) replayed += data->bytes.view();
  }
  CHECK(replayed == "twothree");
  CHECK(driven.driver->Report().resumes == 1);
}

TEST_CASE("ChannelDriver does not read its endpoint without a path", "[channel_driver][resume]") {
  Driven driven;
  driven.Start();
  Lose(driven);
  // One answer was outstanding already: it waits.
  driven.endpoint.answer(Chunk::Data(Bytes::Copy("late")));
  CHECK(driven.endpoint.asked == 1);
  PathLog second;
  Resume(driven, second, 2, 0);
  CHECK(driven.endpoint.asked == 2);
  REQUIRE(second.sent.size() == 1);
  CHECK(std::get<tunnel::Data>(second.sent[0]).bytes.view() == "late");
}

TEST_CASE("ChannelDriver is lost once, whoever drops the path", "[channel_driver][resume]") {
  Driven driven;
  driven.resumes = true;
  driven.Start();
  driven.driver->Suspend(absl::UnavailableError("the connection is dead"));
  CHECK(driven.path.destroyed);
  driven.driver->Suspend(kGone);
  CHECK(driven.loop.RunUntil([&] { return !driven.lost.empty(); }, 5s));
  driven.loop.RunUntil([] { return false; }, 20ms);
  REQUIRE(driven.lost.size() == 1);
  CHECK(MessageOf(driven.lost[0]) == "the connection is dead");
}

TEST_CASE("ChannelDriver leaves a path that was not heard with the connection to the broker",
          "[channel_driver][resume]") {
  Driven driven;
  driven.resumes = true;
  driven.Start();
  SECTION("at once when it is silent") {
    driven.driver->SuspendUnlessHeard(kGone);
    CHECK(driven.path.destroyed);
  }
  SECTION("at once when nothing gets through, whatever came before") {
    driven.path.heard = MonotonicNow();
    driven.path.stalled = true;
    driven.driver->SuspendUnlessHeard(kGone);
    CHECK(driven.path.destroyed);
  }
  SECTION("unless something comes, and goes on coming") {
    driven.path.heard = MonotonicNow();
    driven.driver->SuspendUnlessHeard(kGone);
    CHECK_FALSE(driven.path.destroyed);
    driven.path.heard = MonotonicNow() + 1h;
    driven.loop.RunUntil([] { return false; }, ChannelDriver::kHeardTime + 200ms);
    CHECK_FALSE(driven.path.destroyed);
  }
  SECTION("soon when that was the last of it") {
    driven.path.heard = MonotonicNow() - 100ms;
    driven.driver->SuspendUnlessHeard(kGone);
    CHECK(driven.loop.RunUntil([&] { return driven.path.destroyed; }, 5s));
  }
}

TEST_CASE("ChannelDriver asks on its path whether the other end is there after an outage",
          "[channel_driver][resume]") {
  PathLog second;
  Driven driven;
  driven.resumes = true;
  driven.Start();
  SECTION("and stays when it answers") {
    driven.driver->SuspendUnlessAnswered(kGone);
    driven.loop.RunUntil([] { return false; }, ChannelDriver::kLeastAnswerTime + 200ms);
    CHECK_FALSE(driven.path.destroyed);
    CHECK(driven.path.questions == 1);
  }
  SECTION("and leaves it when it does not") {
    driven.path.answers = false;
    driven.driver->SuspendUnlessAnswered(kGone);
    CHECK_FALSE(driven.path.destroyed);
    CHECK(driven.loop.RunUntil([&] { return driven.path.destroyed; }, 5s));
    CHECK(driven.loop.RunUntil([&] { return !driven.lost.empty(); }, 5s));
    CHECK(driven.lost.back() == kGone);
  }
  SECTION("but does not wait where nothing gets through") {
    driven.path.stalled = true;
    driven.driver->SuspendUnlessAnswered(kGone);
    CHECK(driven.path.destroyed);
    CHECK(driven.path.questions == 0);
  }
  SECTION("however often the network changes") {
    driven.path.answers = false;
    for (int i = 0; i < 40 && !driven.path.destroyed; ++i) {
      driven.driver->SuspendUnlessAnswered(kGone);
      driven.loop.RunUntil([&] { return driven.path.destroyed; }, 100ms);
    }
    CHECK(driven.path.destroyed);
  }
  SECTION("or has another path by then") {
    driven.path.answers = false;
    driven.driver->SuspendUnlessAnswered(kGone);
    Resume(driven, second, 2, 0);
    driven.loop.RunUntil([] { return false; }, ChannelDriver::kLeastAnswerTime + 200ms);
    CHECK_FALSE(second.destroyed);
    CHECK(driven.lost.empty());
  }
}

TEST_CASE("ChannelDriver says whether its path has anything to wait for", "[channel_driver]") {
  Driven driven;
  driven.Start();
  CHECK(driven.path.idle);
  driven.endpoint.answer(Chunk::Data(Bytes::Copy("a")));
  CHECK_FALSE(driven.path.idle);
  driven.From().OnPathMessage(tunnel::Ack{1, 1024});
  CHECK(driven.path.idle);
}

TEST_CASE("ChannelDriver takes a path only of a newer attempt", "[channel_driver][resume]") {
  Driven driven;
  driven.Start();
  PathLog stale;
  Resume(driven, stale, 1, 0);
  CHECK(stale.destroyed);
  CHECK_FALSE(driven.path.destroyed);
  PathLog newer;
  Resume(driven, newer, 5, 0);  // without a loss
  CHECK(driven.path.destroyed);
  CHECK(driven.driver->channel().attempt() == 5);
  CHECK(driven.lost.empty());
}

TEST_CASE("ChannelDriver that is given up resets its endpoint", "[channel_driver][resume]") {
  Driven driven;
  driven.Start();
  Lose(driven);
  driven.driver->GiveUp(ErrorCode::kOutOfRange, "provider restarted");
  REQUIRE(driven.endpoint.closed.has_value());
  CHECK(ErrorCodeOf(*driven.endpoint.closed) == ErrorCode::kOutOfRange);
  CHECK(driven.ended == 1);
  CHECK(driven.done == 1);
  PathLog late;
  Resume(driven, late, 2, 0);
  CHECK(late.destroyed);
}

TEST_CASE("ChannelDriver knows ends of a path that no other can make good",
          "[channel_driver][resume]") {
  Driven driven(GENERATE(kLegacy, tunnel::kOwnCapabilities));
  driven.resumes = true;
  driven.Start();
  const bool legacy = driven.driver->channel().legacy();
  const auto [why, code] = GENERATE(table<absl::Status, ErrorCode>(
      {{absl::PermissionDeniedError("policy"), ErrorCode::kDenied},
       {absl::UnauthenticatedError("revoked"), ErrorCode::kDenied},
       {absl::InvalidArgumentError("does not parse"), ErrorCode::kProtocol},
       {absl::AbortedError("left"), ErrorCode::kReset}}));
  driven.From().OnPathEnd(why);
  if (code == ErrorCode::kReset && !legacy) {
    CHECK_FALSE(driven.endpoint.closed.has_value());  // superseded by a path of its own
    return;
  }
  REQUIRE(driven.endpoint.closed.has_value());
  CHECK(ErrorCodeOf(*driven.endpoint.closed) == code);
  CHECK(driven.lost.empty());
}

TEST_CASE("ChannelDriver tells on a new path that its endpoint broke meanwhile",
          "[channel_driver][resume]") {
  Driven driven;
  driven.endpoint.chunks.push_back(Chunk::Data(Bytes::Copy("lost")));
  driven.Start();
  Lose(driven);
  driven.driver->OnEndpointStop(ErrorStatus(ErrorCode::kReset, "connection reset"));
  CHECK(driven.endpoint.closed.has_value());
  CHECK(driven.ended == 1);
  CHECK(driven.done == 0);
  PathLog second;
  Resume(driven, second, 2, 0);
  REQUIRE_FALSE(second.sent.empty());
  const auto* error = std::get_if<tunnel::Error>(&second.sent.back());
  REQUIRE(error != nullptr);
  CHECK(error->id == 1);  // in the place of what was lost
  driven.From().OnPathMessage(tunnel::Ack{1, std::nullopt});
  driven.From().OnPathEnd(absl::OkStatus());
  CHECK(driven.done == 1);
}

TEST_CASE("ChannelDriver without a path lets go of what the other end never confirms",
          "[channel_driver][resume]") {
  Driven driven(tunnel::kOwnCapabilities, 50ms);
  driven.resumes = true;
  driven.Start();
  driven.path.ready = false;  // the Error is not handed over
  MonotonicTime since = driven.loop.Now();
  SECTION("lost after the end") {
    driven.driver->OnEndpointStop(absl::AbortedError("broken"));
    driven.From().OnPathEnd(kGone);
  }
  SECTION("lost before the end") {
    driven.From().OnPathEnd(kGone);
    driven.driver->OnEndpointStop(absl::AbortedError("broken"));
  }
  CHECK(driven.loop.RunUntil([&] { return driven.done == 1; }, 5s));
  CHECK(driven.loop.Now() - since >= 149ms);
  CHECK(driven.lost.size() == 1);
}

TEST_CASE("ChannelDriver whose two ends are confirmed ends in order with its path",
          "[channel_driver][resume]") {
  Driven driven;
  driven.resumes = true;
  driven.endpoint.chunks.push_back(Chunk::EndOfStream());
  driven.Start();
  driven.From().OnPathMessage(tunnel::Data{1, Bytes(), false, true});
  driven.From().OnPathMessage(tunnel::Ack{1, std::nullopt});
  REQUIRE(driven.Sent<tunnel::Close>(driven.path.sent.size() - 1) != nullptr);
  driven.From().OnPathEnd(kGone);
  CHECK(driven.endpoint.closed->ok());
  // The other end may not know: it is told on another path, or left when none comes.
  CHECK(driven.loop.RunUntil([&] { return driven.lost.size() == 1; }, 5s));
  CHECK(driven.done == 0);
  driven.driver->GiveUp(ErrorCode::kPathLost, "gone");
  CHECK(driven.done == 1);
}

// The other end has forgotten the channel, a minute after its end.
TEST_CASE("ChannelDriver ends in order at no answer only what is complete both ways",
          "[channel_driver][resume]") {
  Driven driven;
  driven.endpoint.chunks.push_back(Chunk::EndOfStream());
  driven.Start();
  bool complete = false;
  SECTION("everything arrived, and was acknowledged") {
    driven.From().OnPathMessage(tunnel::Data{1, Bytes(), false, true});
    driven.From().OnPathMessage(tunnel::Ack{1, std::nullopt});
    complete = true;
  }
  SECTION("our end was not acknowledged") {
    driven.From().OnPathMessage(tunnel::Data{1, Bytes(), false, true});
  }
  SECTION("the other end's did not come") {
    driven.From().OnPathMessage(tunnel::Data{1, Bytes(std::string("x")), false, false});
    driven.From().OnPathMessage(tunnel::Ack{1, std::nullopt});
  }
  Lose(driven);
  driven.driver->GiveUp(ErrorCode::kUnknownChannel, "no such channel");
  REQUIRE(driven.endpoint.closed);
  CHECK(driven.endpoint.closed->ok() == complete);
  CHECK(driven.driver->Report().status.ok() == complete);
  CHECK(driven.done == 1);
}

TEST_CASE("ChannelDriver believes what the other end remembers", "[channel_driver][resume]") {
  Driven driven;
  driven.endpoint.chunks.push_back(Chunk::EndOfStream());
  driven.Start();
  driven.From().OnPathMessage(tunnel::Data{1, Bytes(), false, true});
  Lose(driven);
  SECTION("that everything arrived") {
    driven.driver->OnPeerEnded(ErrorCode::kEnded, 1);
    CHECK(driven.endpoint.closed->ok());
  }
  SECTION("that our end did not") {
    driven.driver->OnPeerEnded(ErrorCode::kEnded, 0);
    CHECK_FALSE(driven.endpoint.closed->ok());
  }
  SECTION("that it was reset") {
    driven.driver->OnPeerEnded(ErrorCode::kReset, 1);
    CHECK(ErrorCodeOf(*driven.endpoint.closed) == ErrorCode::kReset);
  }
  CHECK(driven.done == 1);
}

}  // namespace
}  // namespace culvert
