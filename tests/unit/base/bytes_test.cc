#include "base/bytes.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("Bytes keeps its content when the original is gone", "[bytes]") {
  Bytes copy;
  {
    const Bytes bytes(std::string("a string longer than the small buffer of std::string"));
    copy = bytes;
    CHECK(copy.data() == bytes.data());  // shared, not copied
  }
  CHECK(copy.view() == "a string longer than the small buffer of std::string");
}

TEST_CASE("Bytes is empty by default and from an empty string", "[bytes]") {
  CHECK(Bytes().empty());
  CHECK(Bytes(std::string()).empty());
  CHECK(Bytes() == Bytes(std::string()));
}

TEST_CASE("Bytes slices share the memory and outlive the whole", "[bytes]") {
  Bytes slice;
  {
    const Bytes bytes = Bytes::Copy("hello, tunnel");
    slice = bytes.Slice(7);
    CHECK(slice.data() == bytes.data() + 7);
    CHECK(bytes.Slice(0, 5).view() == "hello");
    CHECK(bytes.Slice(13).empty());
  }
  CHECK(slice.view() == "tunnel");
}

TEST_CASE("Bytes frees what it views with its last copy", "[bytes]") {
  auto owner = std::make_shared<std::string>("payload");
  Bytes bytes(owner, *owner);
  Bytes copy = bytes;
  CHECK(owner.use_count() == 3);
  bytes = Bytes();
  copy = Bytes();
  CHECK(owner.use_count() == 1);
}

TEST_CASE("Bytes compares by content", "[bytes]") {
  CHECK(Bytes::Copy("a") == Bytes::Copy("a"));
  CHECK_FALSE(Bytes::Copy("a") == Bytes::Copy("b"));
}

}  // namespace
}  // namespace culvert
