// What travels on a stitched connection after the token: frames of a 16-byte header and a body.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "base/bytes.h"

namespace culvert::stitch {

enum class FrameType : uint8_t { kHello = 1, kData, kAck, kClose, kError, kPing, kPong };

// Little endian on the wire: u8 type, u8 flags, u16 zero, u32 length, u64 id.
struct FrameHeader {
  // Of Data; others have no flags.
  static constexpr uint8_t kEndOfStream = 1;
  static constexpr uint8_t kAckRequired = 2;

  FrameType type = FrameType::kPing;
  uint8_t flags = 0;
  uint32_t length = 0;  // of the body
  uint64_t id = 0;      // 0 in Hello, Ping and Pong
};

inline constexpr size_t kHeaderBytes = 16;
inline constexpr size_t kAckBytes = 8;
inline constexpr size_t kErrorCodeBytes = 4;
inline constexpr size_t kMostHelloBytes = 512;
inline constexpr size_t kMostErrorBytes = 1024;
inline constexpr size_t kMostBodyBytes = size_t{256} * 1024;

void EncodeHeader(const FrameHeader& header, char* out);
// Of the first kHeaderBytes of `bytes`. DATA_LOSS for a type, a flag, a length or an id that has no
// place there.
absl::StatusOr<FrameHeader> DecodeHeader(std::string_view bytes);

// Numbers as they are in frames.
void WriteU32(uint32_t number, char* out);
void WriteU64(uint64_t number, char* out);
uint32_t ReadU32(const char* bytes);
uint64_t ReadU64(const char* bytes);

struct Frame {
  FrameHeader header;
  Bytes body;
};

// Takes frames out of what is received, cut anywhere:
//
//   Feed() what was received; Next() until there is none; Feed() again
//
// A body that was received whole shares the memory it was received in if it fills more than half of
// that. Any other body is in memory of its exact size: it is the peer who chooses the sizes, and
// what is around a body may be worth nothing (duplicates, Pings). So a body never holds twice its
// size, and the reader holds at most a header, a body and what was fed.
class FrameReader {
 public:
  // Only when Next has said that it needs more. `memory` is how much the bytes keep from being used
  // again, which may be more than they are: a buffer that they fill in part.
  void Feed(Bytes bytes, size_t memory);
  void Feed(Bytes bytes) {
    const size_t size = bytes.size();
    Feed(std::move(bytes), size);
  }
  // The next whole frame, or nothing: it needs more. An error is final.
  absl::StatusOr<std::optional<Frame>> Next();

  // Whether a frame has begun and more of it is to come.
  bool is_inside_frame() const;
  // How many bytes to read next, `most` at most, so that a body begins where a read does: the rest
  // of this frame, frames of its size behind it, and the header of one more.
  size_t NextRead(size_t most) const;

 private:
  absl::Status TakeHeader();
  bool TakeBody(Bytes* body);
  size_t Assemble();

  Bytes input_;
  size_t fed_ = 0;  // memory of the last Feed
  std::array<char, kHeaderBytes> header_bytes_{};
  size_t header_size_ = 0;             // of those, while there is no header
  std::optional<FrameHeader> header_;  // of the frame under way
  std::shared_ptr<char[]> body_;       // it is being assembled in this
  size_t body_size_ = 0;
  absl::Status broken_;
};

}  // namespace culvert::stitch
