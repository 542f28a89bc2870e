#include "rpc/grpc_convert.h"

#include <vector>

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert::rpc {
namespace {

TEST_CASE("ToBytes shares the memory of a message that came in one piece", "[grpc_convert]") {
  const grpc::Slice slice(std::string(10'000, 'x'));
  const Bytes bytes = ToBytes(grpc::ByteBuffer(&slice, 1));
  CHECK(bytes.data() == reinterpret_cast<const char*>(slice.begin()));
  CHECK(bytes.size() == 10'000);
}

TEST_CASE("ToBytes joins a message that came in pieces", "[grpc_convert]") {
  const std::vector<grpc::Slice> slices = {grpc::Slice("one "), grpc::Slice(std::string(300, '2')),
                                           grpc::Slice(" three")};
  const Bytes bytes = ToBytes(grpc::ByteBuffer(slices.data(), slices.size()));
  CHECK(bytes.view() == "one " + std::string(300, '2') + " three");
  CHECK(ToBytes(grpc::ByteBuffer(slices.data(), 0)).empty());
}

TEST_CASE("ToByteBuffer gives back what a frame holds", "[grpc_convert]") {
  const size_t size = GENERATE(as<size_t>(), 0, 1, 511, 512, 513, 256 * 1024);
  const Frame frame{"head", Bytes(std::string(size, 'b'))};
  CHECK(ToBytes(ToByteBuffer(frame)).view() == "head" + std::string(size, 'b'));
}

TEST_CASE("ToByteBuffer shares a large body and keeps it alive", "[grpc_convert]") {
  grpc::ByteBuffer buffer;
  const char* memory = nullptr;
  {
    const Bytes body(std::string(10'000, 'b'));
    memory = body.data();
    buffer = ToByteBuffer(Frame{"head", body});
  }
  std::vector<grpc::Slice> slices;
  REQUIRE(buffer.Dump(&slices).ok());
  REQUIRE(slices.size() == 2);
  CHECK(reinterpret_cast<const char*>(slices[1].begin()) == memory);
  CHECK(memory[9'999] == 'b');
}

TEST_CASE("Statuses keep their code and message both ways", "[grpc_convert]") {
  const int code = GENERATE(range(0, 17));
  const absl::Status status = FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(code), "why"));
  CHECK(static_cast<int>(status.code()) == code);
  if (code != 0) CHECK(MessageOf(status) == "why");
  const grpc::Status back = ToGrpc(status);
  CHECK(static_cast<int>(back.error_code()) == code);
  if (code != 0) CHECK(back.error_message() == "why");
}

TEST_CASE("ToGrpc cuts a message that would not fit into a header", "[grpc_convert]") {
  CHECK(ToGrpc(absl::InternalError(std::string(5000, 'x'))).error_message().size() == 1024);
}

TEST_CASE("ToGrpc makes a message UTF-8 that is not", "[grpc_convert]") {
  CHECK(ToGrpc(absl::InternalError("a\xFF"
                                   "b\xC3\xA9"))
            .error_message() == "a?b\xC3\xA9");
  const std::string long_text = std::string(1023, 'x') + "\xC3\xA9";
  CHECK(ToGrpc(MakeStatus(absl::StatusCode::kInternal, long_text)).error_message() ==
        std::string(1023, 'x'));
}

}  // namespace
}  // namespace culvert::rpc
