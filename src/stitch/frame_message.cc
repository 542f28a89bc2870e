#include "stitch/frame_message.h"

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"

namespace culvert::stitch {
namespace {

// Memory for a header and `body` bytes behind it, which `fill` writes.
template <typename Fill>
Bytes Make(const FrameHeader& header, size_t body, Fill fill) {
  const std::shared_ptr<char[]> memory =
      std::make_shared_for_overwrite<char[]>(kHeaderBytes + body);
  EncodeHeader(header, memory.get());
  fill(memory.get() + kHeaderBytes);
  return Bytes(memory, {memory.get(), kHeaderBytes + body});
}

Bytes Make(const FrameHeader& header) {
  return Make(header, 0, [](char*) {});
}

// The frame without what goes into a part of its own.
struct Encode {
  Bytes operator()(const tunnel::Data& data) const {
    CULVERT_CHECK(data.bytes.size() <= kMostBodyBytes);
    const int flags = (data.end_of_stream ? FrameHeader::kEndOfStream : 0) |
                      (data.ack_required ? FrameHeader::kAckRequired : 0);
    return Make({FrameType::kData, static_cast<uint8_t>(flags),
                 static_cast<uint32_t>(data.bytes.size()), data.id});
  }
  Bytes operator()(const tunnel::Ack& ack) const {
    CULVERT_CHECK(ack.window.has_value());
    return Make({FrameType::kAck, 0, kAckBytes, ack.id}, kAckBytes,
                [&](char* out) { WriteU64(*ack.window, out); });
  }
  Bytes operator()(const tunnel::Close& close) const {
    return Make({FrameType::kClose, 0, 0, close.id});
  }
  Bytes operator()(const tunnel::Error& error) const {
    const std::string text = tunnel::CutText(error.message, kMostErrorBytes - kErrorCodeBytes);
    const size_t size = kErrorCodeBytes + text.size();
    return Make({FrameType::kError, 0, static_cast<uint32_t>(size), error.id}, size,
                [&](char* out) {
                  WriteU32(static_cast<uint32_t>(error.code), out);
                  text.copy(out + kErrorCodeBytes, text.size());
                });
  }
};

}  // namespace

size_t AppendFrame(const tunnel::Message& message, std::vector<Bytes>* parts) {
  parts->push_back(std::visit(Encode{}, message));
  size_t size = parts->back().size();
  const auto* data = std::get_if<tunnel::Data>(&message);
  if (data != nullptr && !data->bytes.empty()) {
    size += data->bytes.size();
    parts->push_back(data->bytes);
  }
  return size;
}

size_t AppendFrame(FrameType type, std::string_view body, std::vector<Bytes>* parts) {
  parts->push_back(Make({type, 0, static_cast<uint32_t>(body.size()), 0}, body.size(),
                        [&](char* out) { body.copy(out, body.size()); }));
  return parts->back().size();
}

tunnel::Message ToMessage(Frame frame) {
  const FrameHeader& header = frame.header;
  switch (header.type) {
    case FrameType::kData:
      return tunnel::Data{header.id, std::move(frame.body),
                          (header.flags & FrameHeader::kAckRequired) != 0,
                          (header.flags & FrameHeader::kEndOfStream) != 0};
    case FrameType::kAck:
      return tunnel::Ack{header.id, ReadU64(frame.body.data())};
    case FrameType::kClose:
      return tunnel::Close{header.id};
    case FrameType::kError: {
      const std::string_view text = frame.body.view().substr(kErrorCodeBytes);
      return tunnel::Error{header.id, tunnel::CutErrorText(text),
                           ErrorCodeFromNumber(ReadU32(frame.body.data()))};
    }
    case FrameType::kHello:
    case FrameType::kPing:
    case FrameType::kPong:
      break;
  }
  CheckFailed("a frame that is no message", __FILE__, __LINE__);
}

}  // namespace culvert::stitch
