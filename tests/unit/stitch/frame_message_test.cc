#include "stitch/frame_message.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace culvert::stitch {
namespace {

std::string Join(const std::vector<Bytes>& parts) {
  std::string bytes;
  for (const Bytes& part : parts) bytes += part.view();
  return bytes;
}

// Out through a frame and in again.
tunnel::Message Through(const tunnel::Message& message) {
  std::vector<Bytes> parts;
  const size_t size = AppendFrame(message, &parts);
  const std::string bytes = Join(parts);
  CHECK(bytes.size() == size);
  FrameReader reader;
  reader.Feed(Bytes(bytes));
  auto frame = reader.Next();
  REQUIRE((frame.ok() && *frame));
  CHECK_FALSE(reader.is_inside_frame());
  return ToMessage(**std::move(frame));
}

TEST_CASE("Data goes through a frame with its flags, and its bytes are not copied", "[frame]") {
  const auto end = GENERATE(false, true);
  const auto ack = GENERATE(false, true);
  const auto size = GENERATE(size_t{0}, size_t{1}, kMostBodyBytes);
  const tunnel::Data sent{~uint64_t{0}, Bytes(std::string(size, 'd')), ack, end};
  const auto got = std::get<tunnel::Data>(Through(sent));
  CHECK(got.id == sent.id);
  CHECK(got.bytes == sent.bytes);
  CHECK(got.ack_required == ack);
  CHECK(got.end_of_stream == end);

  std::vector<Bytes> parts;
  AppendFrame(sent, &parts);
  if (size == 0) {
    CHECK(parts.size() == 1);
  } else {
    REQUIRE(parts.size() == 2);
    CHECK(parts[1].data() == sent.bytes.data());
  }
}

TEST_CASE("Ack, Close and Error go through a frame", "[frame]") {
  const auto ack = std::get<tunnel::Ack>(Through(tunnel::Ack{5, uint64_t{1} << 40}));
  CHECK(ack.id == 5);
  CHECK(ack.window == uint64_t{1} << 40);
  CHECK(std::get<tunnel::Close>(Through(tunnel::Close{6})).id == 6);
  const auto error =
      std::get<tunnel::Error>(Through(tunnel::Error{7, "no such host", ErrorCode::kUnreachable}));
  CHECK(error.id == 7);
  CHECK(error.message == "no such host");
  CHECK(error.code == ErrorCode::kUnreachable);
}

TEST_CASE("The text of an Error is cut to what a frame takes and to what is kept", "[frame]") {
  const tunnel::Error sent{1, std::string(5000, 'e'), ErrorCode::kDenied};
  std::vector<Bytes> parts;
  CHECK(AppendFrame(sent, &parts) == kHeaderBytes + kMostErrorBytes);
  CHECK(std::get<tunnel::Error>(Through(sent)).message.size() == tunnel::kMaxErrorText);
}

TEST_CASE("The text and the code of an Error are not taken as they come", "[frame]") {
  const Frame frame{{FrameType::kError, 0, 6, 1}, Bytes::Copy("\xff\xff\xff\xff\xffx")};
  const auto error = std::get<tunnel::Error>(ToMessage(frame));
  CHECK(error.code == ErrorCode::kUnspecified);
  CHECK(error.message == "?x");
}

}  // namespace
}  // namespace culvert::stitch
