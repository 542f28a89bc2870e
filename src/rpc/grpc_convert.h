// Between gRPC's types and ours. Included only inside src/rpc.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "rpc/stream.h"

namespace culvert::rpc {

// Without a copy when the message arrived in one piece.
Bytes ToBytes(const grpc::ByteBuffer& buffer);
// Shares the body with the transport (small ones are copied: a slice of their own costs more).
grpc::ByteBuffer ToByteBuffer(const Frame& frame);

// gRPC and Protobuf write to stderr what a peer did wrong, such as a failed handshake or a string
// that is not UTF-8, as often as it does it: only to our log, at level debug. Any thread.
void QuietLibraries();

// gRPC's and Abseil's codes are the same set.
absl::Status FromGrpc(const grpc::Status& status);
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace culvert::rpc
