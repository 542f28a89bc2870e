#include "stitch/frame.h"

#include <string>
#include <tuple>

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert::stitch {
namespace {

std::string Encoded(const FrameHeader& header) {
  std::string bytes(kHeaderBytes, '?');
  EncodeHeader(header, bytes.data());
  return bytes;
}

std::string Header(FrameType type, uint32_t length) { return Encoded({type, 0, length, 0}); }

TEST_CASE("A frame header is 16 bytes, little endian", "[frame]") {
  CHECK(Encoded({FrameType::kData, 3, 0x010203, 0x0102030405060708}) ==
        std::string("\x02\x03\x00\x00\x03\x02\x01\x00\x08\x07\x06\x05\x04\x03\x02\x01", 16));
}

TEST_CASE("A frame header comes back as it was", "[frame]") {
  const auto type =
      GENERATE(FrameType::kHello, FrameType::kData, FrameType::kAck, FrameType::kClose,
               FrameType::kError, FrameType::kPing, FrameType::kPong);
  const bool has_id =
      type != FrameType::kHello && type != FrameType::kPing && type != FrameType::kPong;
  FrameHeader header{type, 0, 0, has_id ? ~uint64_t{0} : 0};
  if (type == FrameType::kData) header.flags = GENERATE(uint8_t{0}, uint8_t{1}, uint8_t{3});
  if (type == FrameType::kAck) header.length = 8;
  if (type == FrameType::kError) header.length = 4;
  const auto decoded = DecodeHeader(Encoded(header));
  REQUIRE(decoded.ok());
  CHECK(decoded->type == header.type);
  CHECK(decoded->flags == header.flags);
  CHECK(decoded->length == header.length);
  CHECK(decoded->id == header.id);
}

TEST_CASE("A body has the lengths that its type may have", "[frame]") {
  struct Row {
    FrameType type;
    uint32_t least;
    uint32_t most;
  };
  const auto row = GENERATE(Row{FrameType::kHello, 0, 512}, Row{FrameType::kData, 0, 262'144},
                            Row{FrameType::kAck, 8, 8}, Row{FrameType::kClose, 0, 0},
                            Row{FrameType::kError, 4, 1024}, Row{FrameType::kPing, 0, 0},
                            Row{FrameType::kPong, 0, 0});
  CAPTURE(static_cast<int>(row.type));
  CHECK(DecodeHeader(Header(row.type, row.least)).ok());
  CHECK(DecodeHeader(Header(row.type, row.most)).ok());
  CHECK(absl::IsDataLoss(DecodeHeader(Header(row.type, row.most + 1)).status()));
  CHECK(absl::IsDataLoss(DecodeHeader(Header(row.type, 0xffffffff)).status()));
  if (row.least > 0)
    CHECK(absl::IsDataLoss(DecodeHeader(Header(row.type, row.least - 1)).status()));
  if (row.most > row.least) CHECK(DecodeHeader(Header(row.type, row.least + 1)).ok());
}

TEST_CASE("An unknown type is refused", "[frame]") {
  const auto type = GENERATE(0, 8, 255);
  const auto decoded = DecodeHeader(Header(static_cast<FrameType>(type), 0));
  CHECK(absl::IsDataLoss(decoded.status()));
  CHECK(MessageOf(decoded.status()) == "no frame: type " + std::to_string(type));
}

TEST_CASE("Reserved bits are refused", "[frame]") {
  SECTION("flags of Data") {
    const auto flag = GENERATE(range(2, 8));
    std::string header = Header(FrameType::kData, 0);
    header[1] = static_cast<char>(1 << flag);
    CHECK(absl::IsDataLoss(DecodeHeader(header).status()));
  }
  SECTION("flags of what has none") {
    const auto type = GENERATE(FrameType::kHello, FrameType::kClose, FrameType::kPing);
    const auto flag = GENERATE(1, 2, 128);
    std::string header = Header(type, 0);
    header[1] = static_cast<char>(flag);
    CHECK(absl::IsDataLoss(DecodeHeader(header).status()));
  }
  SECTION("the zero") {
    const auto at = GENERATE(size_t{2}, size_t{3});
    const auto bit = GENERATE(range(0, 8));
    std::string header = Header(FrameType::kData, 0);
    header[at] = static_cast<char>(1 << bit);
    CHECK(absl::IsDataLoss(DecodeHeader(header).status()));
  }
  SECTION("an id of what has none") {
    const auto type = GENERATE(FrameType::kHello, FrameType::kPing, FrameType::kPong);
    CHECK(absl::IsDataLoss(DecodeHeader(Encoded({type, 0, 0, 1})).status()));
  }
}

}  // namespace
}  // namespace culvert::stitch
