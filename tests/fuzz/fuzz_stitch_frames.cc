// Frames of a stitched connection, cut as the first byte says: the same frames and the same verdict
// as from one piece, every limit kept, and what was read written again as it was.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "stitch/frame_message.h"

namespace culvert::stitch {
namespace {

struct Result {
  std::vector<Frame> frames;
  size_t bytes = 0;  // of those
  bool broken = false;
  bool inside = false;
};

Result Read(std::string_view input, size_t piece) {
  Result result;
  FrameReader reader;
  for (size_t at = 0; at < input.size() && !result.broken; at += piece) {
    reader.Feed(Bytes::Copy(input.substr(at, piece)));
    while (true) {
      auto frame = reader.Next();
      result.broken = !frame.ok();
      if (result.broken || !*frame) break;
      CULVERT_CHECK((*frame)->body.size() == (*frame)->header.length);
      result.bytes += kHeaderBytes + (*frame)->body.size();
      result.frames.push_back(**std::move(frame));
    }
    const size_t next = reader.NextRead(kMostBodyBytes + 64);
    CULVERT_CHECK(next > 0 && next <= kMostBodyBytes + 64);
  }
  if (result.broken) CULVERT_CHECK(!reader.Next().ok());
  result.inside = reader.is_inside_frame();
  return result;
}

// What is read is exactly what is written again.
std::string Again(const Frame& frame) {
  std::string bytes(kHeaderBytes, '\0');
  EncodeHeader(frame.header, bytes.data());
  return bytes.append(frame.body.view());
}

void CheckMessage(const Frame& frame) {
  const FrameType type = frame.header.type;
  if (type == FrameType::kHello || type == FrameType::kPing || type == FrameType::kPong) return;
  const tunnel::Message message = ToMessage(frame);
  std::vector<Bytes> parts;
  AppendFrame(message, &parts);
  std::string bytes;
  for (const Bytes& part : parts) bytes += part.view();
  // The text and the code of an Error may be changed.
  if (type != FrameType::kError) CULVERT_CHECK(bytes == Again(frame));
  CULVERT_CHECK(DecodeHeader(bytes).ok());
}

}  // namespace
}  // namespace culvert::stitch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::stitch;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Result whole = Read(input, input.size() + 1);
  const Result cut = Read(input, size_t{data[0]} + 1);
  CULVERT_CHECK(whole.broken == cut.broken && whole.frames.size() == cut.frames.size());
  std::string again;
  for (size_t i = 0; i < whole.frames.size(); ++i) {
    CULVERT_CHECK(whole.frames[i].body == cut.frames[i].body);
    again += Again(whole.frames[i]);
    CheckMessage(whole.frames[i]);
  }
  CULVERT_CHECK(input.substr(0, whole.bytes) == again);
  if (!whole.broken) CULVERT_CHECK(whole.inside == (whole.bytes < input.size()));
  return 0;
}
