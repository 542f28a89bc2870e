#include "rpc/grpc_convert.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "tunnel/message.h"

namespace culvert::rpc {
namespace {

constexpr size_t kCopyBelow = 512;
// A status message travels in a header; longer ones are cut.
constexpr size_t kMaxStatusText = 1024;

grpc::Slice ToSlice(const Bytes& bytes) {
  if (bytes.size() < kCopyBelow) return grpc::Slice(bytes.data(), bytes.size());
  auto* shared = new Bytes(bytes);
  return grpc::Slice(
      const_cast<char*>(shared->data()), shared->size(),
      [](void* owner) { delete static_cast<Bytes*>(owner); }, shared);
}

// What keeps a received message. Its memory may belong to a resource quota; gRPC 1.51 crashes when
// such a slice is the last to go on a thread of ours while the quota is used up (no ExecCtx for
// what it then starts), unless it goes in grpc_byte_buffer_destroy.
struct Received {
  explicit Received(const grpc::ByteBuffer& message) : buffer(message) {}
  grpc::ByteBuffer buffer;  // outlives the slice
  grpc::Slice slice;
};

void LogOfGrpc(gpr_log_func_args* args) {
  // Before it aborts, which is for everybody to see.
  constexpr std::string_view kAssertion = "assertion failed";
  const std::string_view text = args->message;
  if (text.substr(0, kAssertion.size()) == kAssertion) {
    CULVERT_LOG(kError, "[grpc] {} at {}:{}", Printable(text), args->file, args->line);
  } else {
    CULVERT_LOG(kDebug, "[grpc] {}", Printable(text));
  }
}

}  // namespace

Bytes ToBytes(const grpc::ByteBuffer& buffer) {
  auto received = std::make_shared<Received>(buffer);
  grpc::Slice& slice = received->slice;
  if (!buffer.TrySingleSlice(&slice).ok()) {
    CULVERT_CHECK(buffer.DumpToSingleSlice(&slice).ok());
    received->buffer.Clear();  // the slice is a copy
  }
  const std::string_view view(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return Bytes(std::move(received), view);
}

grpc::ByteBuffer ToByteBuffer(const Frame& frame) {
  std::array<grpc::Slice, 2> slices = {grpc::Slice(frame.head.data(), frame.head.size()),
                                       grpc::Slice()};
  if (frame.body.empty()) return grpc::ByteBuffer(slices.data(), 1);
  slices[1] = ToSlice(frame.body);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

void QuietLibraries() {
  google::protobuf::SetLogHandler(nullptr);
  gpr_set_log_function(&LogOfGrpc);
}

absl::Status FromGrpc(const grpc::Status& status) {
  return MakeStatus(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      tunnel::CutText(MessageOf(status), kMaxStatusText));
}

}  // namespace culvert::rpc
