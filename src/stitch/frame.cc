#include "stitch/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace culvert::stitch {
namespace {

template <typename Number>
void WriteNumber(Number number, char* out) {
  for (size_t i = 0; i < sizeof(number); ++i) out[i] = static_cast<char>(number >> (8 * i) & 0xff);
}

template <typename Number>
Number ReadNumber(const char* bytes) {
  Number number = 0;
  for (size_t i = 0; i < sizeof(number); ++i)
    number |= static_cast<Number>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return number;
}

struct Lengths {
  size_t least;
  size_t most;
};

Lengths LengthsOf(FrameType type) {
  switch (type) {
    case FrameType::kHello:
      return {0, kMostHelloBytes};
    case FrameType::kData:
      return {0, kMostBodyBytes};
    case FrameType::kAck:
      return {kAckBytes, kAckBytes};
    case FrameType::kError:
      return {kErrorCodeBytes, kMostErrorBytes};
    case FrameType::kClose:
    case FrameType::kPing:
    case FrameType::kPong:
      break;
  }
  return {0, 0};
}

bool HasId(FrameType type) {
  return type != FrameType::kHello && type != FrameType::kPing && type != FrameType::kPong;
}

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError(fmt::format("no frame: {}", what));
}

}  // namespace

void WriteU32(uint32_t number, char* out) { WriteNumber(number, out); }
void WriteU64(uint64_t number, char* out) { WriteNumber(number, out); }
uint32_t ReadU32(const char* bytes) { return ReadNumber<uint32_t>(bytes); }
uint64_t ReadU64(const char* bytes) { return ReadNumber<uint64_t>(bytes); }

void EncodeHeader(const FrameHeader& header, char* out) {
  out[0] = static_cast<char>(header.type);
  out[1] = static_cast<char>(header.flags);
  out[2] = out[3] = 0;
  WriteU32(header.length, out + 4);
  WriteU64(header.id, out + 8);
}

absl::StatusOr<FrameHeader> DecodeHeader(std::string_view bytes) {
  CULVERT_CHECK(bytes.size() >= kHeaderBytes);
  const auto type = static_cast<uint8_t>(bytes[0]);
  if (type < static_cast<uint8_t>(FrameType::kHello) ||
      type > static_cast<uint8_t>(FrameType::kPong))
    return Malformed(fmt::format("type {}", type));
  FrameHeader header{static_cast<FrameType>(type), static_cast<uint8_t>(bytes[1]),
                     ReadU32(bytes.data() + 4), ReadU64(bytes.data() + 8)};
  const int flags =
      header.type == FrameType::kData ? FrameHeader::kEndOfStream | FrameHeader::kAckRequired : 0;
  if ((header.flags & ~flags) != 0 || bytes[2] != 0 || bytes[3] != 0)
    return Malformed(fmt::format("reserved bits are set in type {}", type));
  const Lengths lengths = LengthsOf(header.type);
  if (header.length < lengths.least || header.length > lengths.most)
    return Malformed(fmt::format("{} bytes in type {}", header.length, type));
  if (header.id != 0 && !HasId(header.type))
    return Malformed(fmt::format("an id in type {}", type));
  return header;
}

// --- FrameReader ---

void FrameReader::Feed(Bytes bytes, size_t memory) {
  CULVERT_CHECK(input_.empty() && memory >= bytes.size());
  fed_ = memory;
  input_ = std::move(bytes);
}

absl::StatusOr<std::optional<Frame>> FrameReader::Next() {
  CULVERT_RETURN_IF_ERROR(broken_);
  if (!header_) {
    broken_ = TakeHeader();
    CULVERT_RETURN_IF_ERROR(broken_);
  }
  Frame frame;
  if (!header_ || !TakeBody(&frame.body)) return std::nullopt;
  frame.header = *std::exchange(header_, std::nullopt);
  return frame;
}

absl::Status FrameReader::TakeHeader() {
  std::string_view bytes = input_.view();
  if (header_size_ > 0 || bytes.size() < kHeaderBytes) {
    const size_t taken = std::min(kHeaderBytes - header_size_, bytes.size());
    bytes.copy(header_bytes_.data() + header_size_, taken);
    header_size_ += taken;
    input_ = input_.Slice(taken);
    if (header_size_ < kHeaderBytes) {
      input_ = Bytes();
      return absl::OkStatus();
    }
    header_size_ = 0;
    bytes = {header_bytes_.data(), kHeaderBytes};
  } else {
    input_ = input_.Slice(kHeaderBytes);
  }
  // `bytes` stays valid: whoever fed them holds them, or `input_` does.
  CULVERT_ASSIGN_OR_RETURN(header_, DecodeHeader(bytes));
  return absl::OkStatus();
}

// Whether the body is whole.
bool FrameReader::TakeBody(Bytes* body) {
  const size_t length = header_->length;
  size_t taken = length;
  if (body_ == nullptr && input_.size() >= length) {
    *body = input_.Slice(0, length);
    if (2 * length <= fed_) *body = Bytes::Copy(body->view());
  } else {
    // Nothing of it is there: perhaps all of it comes at once.
    if (input_.empty()) return false;
    taken = Assemble();
    if (body_size_ == length) {
      *body = Bytes(body_, {body_.get(), length});
      body_ = nullptr;
    }
  }
  input_ = input_.Slice(taken);
  if (input_.empty()) input_ = Bytes();  // holds nothing
  return body_ == nullptr;
}

// Returns how much of the input went into the body.
size_t FrameReader::Assemble() {
  const size_t length = header_->length;
  if (body_ == nullptr) {
    body_ = std::make_shared_for_overwrite<char[]>(length);
    body_size_ = 0;
  }
  const size_t taken = std::min(length - body_size_, input_.size());
  input_.view().copy(body_.get() + body_size_, taken);
  body_size_ += taken;
  return taken;
}

bool FrameReader::is_inside_frame() const {
  return header_size_ > 0 || header_.has_value() || !input_.empty();
}

size_t FrameReader::NextRead(size_t most) const {
  if (!header_ || header_->length == 0) return most;
  const size_t rest = header_->length - (body_ == nullptr ? 0 : body_size_) + kHeaderBytes;
  if (rest >= most) return most;
  const size_t frame = kHeaderBytes + header_->length;
  return rest + (most - rest) / frame * frame;
}

}  // namespace culvert::stitch
