// The frames of a stream that wait for the one in flight. Included only inside src/rpc.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <optional>

#include "rpc/grpc_convert.h"
#include "rpc/stream.h"

namespace culvert::rpc {

class WriteQueue {
 public:
  void Push(const Frame& frame) { frames_.push_back(ToByteBuffer(frame)); }
  // The frame to start writing now, if none is in flight. Stays valid until Written().
  const grpc::ByteBuffer* StartNext() {
    if (in_flight_ || frames_.empty()) return nullptr;
    in_flight_ = true;
    return &frames_.front();
  }
  // The frame in flight was taken (or the stream broke).
  void Written() {
    in_flight_ = false;
    frames_.pop_front();
  }
  // Forgets what is not in flight.
  void Drop() { frames_.resize(in_flight_ ? 1 : 0); }
  bool empty() const { return frames_.empty(); }
  size_t size() const { return frames_.size(); }

 private:
  std::deque<grpc::ByteBuffer> frames_;  // the front is the one in flight
  bool in_flight_ = false;
};

}  // namespace culvert::rpc
