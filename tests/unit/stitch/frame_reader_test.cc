// FrameReader: the same frames whatever they are cut into, and what it copies.
#include <string>
#include <vector>

#include "stitch/frame.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert::stitch {
namespace {

using test::Pattern;

std::string FrameOf(FrameType type, std::string_view body, uint64_t id = 0, uint8_t flags = 0) {
  std::string bytes(kHeaderBytes, '\0');
  EncodeHeader({type, flags, static_cast<uint32_t>(body.size()), id}, bytes.data());
  return bytes.append(body);
}

// "type flags id body" of each frame.
std::string Describe(const Frame& frame) {
  return std::to_string(static_cast<int>(frame.header.type)) + ' ' +
         std::to_string(frame.header.flags) + ' ' + std::to_string(frame.header.id) + ' ' +
         std::string(frame.body.view()) + '\n';
}

// Feeds `bytes` and describes what comes out; "error" at the end if it is that.
std::string Read(FrameReader& reader, std::string_view bytes) {
  reader.Feed(Bytes::Copy(bytes));
  std::string text;
  while (true) {
    auto frame = reader.Next();
    if (!frame.ok()) return text + "error";
    if (!*frame) return text;
    text += Describe(**frame);
  }
}

const std::string kAll =
    FrameOf(FrameType::kHello, "hello") + FrameOf(FrameType::kData, "some bytes", 1, 2) +
    FrameOf(FrameType::kAck, "12345678", 7) + FrameOf(FrameType::kError, "codewhy", 3) +
    FrameOf(FrameType::kPing, "") + FrameOf(FrameType::kPong, "") +
    FrameOf(FrameType::kData, "", 2, 1) + FrameOf(FrameType::kClose, "", 4);
const std::string kAllText =
    "1 0 0 hello\n2 2 1 some bytes\n3 0 7 12345678\n5 0 3 codewhy\n6 0 0 \n7 0 0 \n2 1 2 \n4 0 4 "
    "\n";

TEST_CASE("Frames of all types are read out of one buffer", "[frame_reader]") {
  FrameReader reader;
  CHECK(Read(reader, kAll) == kAllText);
  CHECK_FALSE(reader.is_inside_frame());
}

TEST_CASE("Frames are the same wherever they are cut in two", "[frame_reader]") {
  for (size_t at = 0; at <= kAll.size(); ++at) {
    FrameReader reader;
    const std::string first = Read(reader, kAll.substr(0, at));
    REQUIRE(first + Read(reader, kAll.substr(at)) == kAllText);
    REQUIRE_FALSE(reader.is_inside_frame());
  }
}

TEST_CASE("Frames are the same in pieces of any size", "[frame_reader]") {
  for (size_t piece = 1; piece <= kAll.size(); ++piece) {
    FrameReader reader;
    std::string text;
    for (size_t at = 0; at < kAll.size(); at += piece) text += Read(reader, kAll.substr(at, piece));
    REQUIRE(text == kAllText);
  }
}

TEST_CASE("A frame has begun with its first byte and is over with its last", "[frame_reader]") {
  const std::string frame = FrameOf(FrameType::kData, "body", 1);
  FrameReader reader;
  for (size_t at = 0; at + 1 < frame.size(); ++at) {
    CHECK(Read(reader, frame.substr(at, 1)).empty());
    CHECK(reader.is_inside_frame());
  }
  CHECK_FALSE(Read(reader, frame.substr(frame.size() - 1)).empty());
  CHECK_FALSE(reader.is_inside_frame());
}

TEST_CASE("A violation is an error after what came before it, and stays one", "[frame_reader]") {
  const std::string good = FrameOf(FrameType::kPing, "");
  const std::string bad = FrameOf(static_cast<FrameType>(9), "");
  for (size_t at = 0; at < bad.size(); ++at) {
    FrameReader reader;
    const std::string first = Read(reader, good + bad.substr(0, at));
    REQUIRE(first == "6 0 0 \n");
    REQUIRE(Read(reader, bad.substr(at) + good) == "error");
    REQUIRE(absl::IsDataLoss(reader.Next().status()));
  }
}

TEST_CASE("A body that was received whole is not copied", "[frame_reader]") {
  const std::string body = Pattern(kMostBodyBytes);
  const Bytes received(FrameOf(FrameType::kData, body, 1) + FrameOf(FrameType::kPing, ""));
  FrameReader reader;
  reader.Feed(received);
  const auto frame = reader.Next();
  REQUIRE((frame.ok() && *frame));
  CHECK((*frame)->body.data() == received.data() + kHeaderBytes);
  CHECK((*frame)->body.view() == body);
}

TEST_CASE("A body whose header came with the read before is not copied", "[frame_reader]") {
  const Bytes received(FrameOf(FrameType::kData, Pattern(kMostBodyBytes), 1));
  FrameReader reader;
  reader.Feed(received.Slice(0, kHeaderBytes));
  REQUIRE_FALSE(reader.Next().value());
  const Bytes rest = received.Slice(kHeaderBytes);
  reader.Feed(rest);
  CHECK(reader.Next().value()->body.data() == rest.data());
}

TEST_CASE("A small body does not hold the large buffer that it came in", "[frame_reader]") {
  const std::string small = FrameOf(FrameType::kData, "x", 1);
  auto owner = std::make_shared<std::string>(small + FrameOf(FrameType::kData, Pattern(4096), 2));
  FrameReader reader;
  reader.Feed(Bytes(owner, *owner));
  const Frame first = *reader.Next().value();
  CHECK(owner.use_count() == 2);  // the reader has the rest
  const Frame second = *reader.Next().value();
  CHECK(owner.use_count() == 2);  // it went with the second
  CHECK(first.body.view() == "x");
  CHECK_FALSE(reader.Next().value());
}

constexpr size_t kBuffer = kMostBodyBytes + 64;

// A read that fills a buffer of `memory` bytes with one Data of that size and what is worth
// nothing.
struct WorstRead {
  WorstRead(size_t body, size_t filled) {
    std::string bytes = FrameOf(FrameType::kData, Pattern(body), 1);
    const std::string ping = FrameOf(FrameType::kPing, "");
    while (bytes.size() + ping.size() <= filled) bytes += ping;
    owner = std::make_shared<std::string>(std::move(bytes));
  }
  std::shared_ptr<std::string> owner;
};

TEST_CASE("A body holds less than twice its size, whatever the peer sends with it",
          "[frame_reader]") {
  const size_t body =
      GENERATE(size_t{1}, 16 * 1024, kBuffer / 8, kBuffer / 4 - kHeaderBytes, kBuffer / 4, 100'000,
               kBuffer / 2 - kHeaderBytes, kBuffer / 2, kBuffer / 2 + 1, 200'000, kMostBodyBytes);
  const size_t filled = GENERATE(kBuffer / 2, kBuffer);
  WorstRead read(body, filled);
  const std::weak_ptr<std::string> buffer = read.owner;
  FrameReader reader;
  reader.Feed(Bytes(read.owner, *read.owner), kBuffer);
  read.owner.reset();
  const Frame frame = *reader.Next().value();
  REQUIRE(frame.body.size() == body);
  while (reader.Next().value()) {
  }
  const size_t held = buffer.expired() ? frame.body.size() : kBuffer;
  INFO(body << " bytes hold " << held);
  CHECK(held < 2 * body + 1);
  CHECK(buffer.expired() == (body <= kBuffer / 2));
}

TEST_CASE("A body in pieces is assembled in memory of its own, and the pieces are let go",
          "[frame_reader]") {
  const std::string body = Pattern(100'000);
  const std::string frame = FrameOf(FrameType::kData, body, 1);
  FrameReader reader;
  for (size_t at = 0; at < frame.size(); at += 30'000) {
    auto owner = std::make_shared<std::string>(frame.substr(at, 30'000));
    const std::weak_ptr<std::string> alive = owner;
    reader.Feed(Bytes(owner, *owner));
    owner.reset();
    const auto next = reader.Next();
    REQUIRE(next.ok());
    CHECK(alive.expired());
    if (at + 30'000 >= frame.size()) {
      REQUIRE(*next);
      CHECK((*next)->body.view() == body);
    } else {
      CHECK_FALSE(*next);
    }
  }
}

TEST_CASE("The next read ends behind the header of a frame", "[frame_reader]") {
  constexpr size_t kMost = kMostBodyBytes + 64;
  FrameReader reader;
  CHECK(reader.NextRead(kMost) == kMost);  // nothing is known

  const std::string large = FrameOf(FrameType::kData, Pattern(kMostBodyBytes), 1);
  CHECK(Read(reader, large.substr(0, kHeaderBytes)).empty());
  CHECK(reader.NextRead(kMost) == kMostBodyBytes + kHeaderBytes);
  CHECK(Read(reader, large.substr(kHeaderBytes, 1000)).empty());
  CHECK(reader.NextRead(kMost) == kMostBodyBytes - 1000 + kHeaderBytes);
  CHECK(reader.NextRead(100'000) == 100'000);
  CHECK_FALSE(Read(reader, large.substr(kHeaderBytes + 1000)).empty());

  const std::string quarter = FrameOf(FrameType::kData, Pattern(kMostBodyBytes / 4), 2);
  CHECK(Read(reader, quarter.substr(0, kHeaderBytes)).empty());
  CHECK(reader.NextRead(kMost) == kMost);  // four of them
}

}  // namespace
}  // namespace culvert::stitch
