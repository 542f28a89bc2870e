#include "net/read_buffers.h"

#include <thread>
#include <vector>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

TEST_CASE("ReadBuffers takes a buffer again once nobody holds its bytes", "[read_buffers]") {
  ReadBuffers buffers(100);
  ReadBuffers::Buffer buffer = buffers.Take();
  char* const memory = buffer.get();
  Bytes bytes = buffers.Share(std::move(buffer), 10);
  const Bytes slice = bytes.Slice(9);
  CHECK(bytes.size() == 10);
  bytes = Bytes();
  CHECK(buffers.Take().get() != memory);  // the slice has it
  std::thread([moved = slice]() mutable { moved = Bytes(); }).join();
  CHECK(slice.data() == memory + 9);
}

TEST_CASE("ReadBuffers keeps a few idle buffers and frees the rest", "[read_buffers]") {
  ReadBuffers buffers(100);
  std::vector<Bytes> held;
  for (size_t i = 0; i < 2 * ReadBuffers::kMostIdle; ++i)
    held.push_back(buffers.Share(buffers.Take(), 1));
  CHECK(buffers.idle() == 0);
  held.clear();
  CHECK(buffers.idle() == ReadBuffers::kMostIdle);
  buffers.Return(buffers.Take());
  CHECK(buffers.idle() == ReadBuffers::kMostIdle);
}

TEST_CASE("Bytes outlive the ReadBuffers that they came from", "[read_buffers]") {
  auto buffers = std::make_unique<ReadBuffers>(100);
  ReadBuffers::Buffer buffer = buffers->Take();
  buffer[0] = 'x';
  const Bytes bytes = buffers->Share(std::move(buffer), 1);
  buffers.reset();
  CHECK(bytes.view() == "x");
}

}  // namespace
}  // namespace culvert::net
