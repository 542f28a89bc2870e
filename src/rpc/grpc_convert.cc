#include "rpc/grpc_convert.h"

#include <google/protobuf/stubs/logging.h>

#include <array>
#include <memory>
#include <utility>

#include "base/check.h"
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

}  // namespace

Bytes ToBytes(const grpc::ByteBuffer& buffer) {
  auto slice = std::make_shared<grpc::Slice>();
  if (!buffer.TrySingleSlice(slice.get()).ok()) {
    CULVERT_CHECK(buffer.DumpToSingleSlice(slice.get()).ok());
  }
  const std::string_view view(reinterpret_cast<const char*>(slice->begin()), slice->size());
  return Bytes(std::move(slice), view);
}

grpc::ByteBuffer ToByteBuffer(const Frame& frame) {
  std::array<grpc::Slice, 2> slices = {grpc::Slice(frame.head.data(), frame.head.size()),
                                       grpc::Slice()};
  if (frame.body.empty()) return grpc::ByteBuffer(slices.data(), 1);
  slices[1] = ToSlice(frame.body);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

void QuietProtobuf() { google::protobuf::SetLogHandler(nullptr); }

absl::Status FromGrpc(const grpc::Status& status) {
  return MakeStatus(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      tunnel::CutText(MessageOf(status), kMaxStatusText));
}

}  // namespace culvert::rpc
