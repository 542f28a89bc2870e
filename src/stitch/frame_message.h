// Messages of a channel as frames, and back.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "stitch/frame.h"
#include "tunnel/message.h"

namespace culvert::stitch {

// Appends the frame to `parts` and returns its size. The bytes of Data are shared, not copied. An
// Ack must have its window.
size_t AppendFrame(const tunnel::Message& message, std::vector<Bytes>* parts);
// The same for a frame that is no message.
size_t AppendFrame(FrameType type, std::string_view body, std::vector<Bytes>* parts);

// Of a Data, Ack, Close or Error that FrameReader gave out.
tunnel::Message ToMessage(Frame frame);

}  // namespace culvert::stitch
