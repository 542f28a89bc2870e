// Stdio on what epoll refuses: regular files and /dev/null.
#include <algorithm>
#include <vector>

#include "tests/unit/net/stdio_fixture.h"

namespace culvert::net {
namespace {

using test::Pattern;

TEST_CASE_METHOD(StdioFixture, "Stdio reads a regular file to its end in chunks",
                 "[stdio_stream]") {
  const size_t size = GENERATE(size_t{0}, size_t{1}, ByteStream::kMaxRead, size_t{200'000});
  const std::string content = Pattern(size);
  const Fd file = FileWith(content);
  Open(file.get(), null.get());
  stream->SetReading(true);
  CHECK(seen.reads == 0);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(seen.bytes == content);
  CHECK(seen.largest <= ByteStream::kMaxRead);
}

TEST_CASE_METHOD(StdioFixture, "Stdio delivers nothing of a file while reading is off",
                 "[stdio_stream]") {
  const std::string content = Pattern(200'000);
  const Fd file = FileWith(content);
  Open(file.get(), null.get());
  CHECK(Settle() < kManyTurns);
  CHECK(seen.reads == 0);

  stream->SetReading(true);
  stream->SetReading(false);  // with a read under way
  CHECK(Settle() < kManyTurns);
  CHECK(seen.reads == 0);

  seen.on_bytes = [&] { stream->SetReading(false); };
  while (seen.ends == 0) {
    const int before = seen.reads;
    stream->SetReading(true);
    CHECK(seen.reads == before);
    REQUIRE(Until([&] { return seen.reads > before || seen.ends > 0; }));
  }
  CHECK(seen.bytes == content);
}

TEST_CASE_METHOD(StdioFixture, "Stdio reads the end at once from /dev/null", "[stdio_stream]") {
  Open(null.get(), null.get());
  stream->SetReading(true);
  CHECK(Until([&] { return seen.ends == 1; }));
  CHECK(seen.reads == 0);
}

TEST_CASE_METHOD(StdioFixture, "Stdio writes a regular file or /dev/null, in order",
                 "[stdio_stream]") {
  const bool is_null = GENERATE(false, true);
  const Fd file = is_null ? DevNull() : FileWith("");
  Open(null.get(), file.get());
  std::string sent;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    const std::string part = Pattern(static_cast<size_t>(i) * 150'000);
    sent += part;
    stream->Write(Bytes::Copy(part), [&order, i](absl::Status status) {
      CHECK(status.ok());
      order.push_back(i);
    });
  }
  CHECK(order.empty());
  stream->FinishWriting([&](absl::Status) { order.push_back(5); });
  CHECK(Until([&] { return order.size() == 6; }));
  CHECK(std::is_sorted(order.begin(), order.end()));
  if (is_null) return;
  std::string written(sent.size() + 1, '\0');
  CHECK(pread(file.get(), written.data(), written.size(), 0) == static_cast<ssize_t>(sent.size()));
  written.pop_back();
  CHECK(written == sent);
}

TEST_CASE_METHOD(StdioFixture, "Stdio reports a file that cannot be written", "[stdio_stream]") {
  const Fd read_only(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Open(null.get(), read_only.get());
  absl::Status written;
  stream->Write(Bytes::Copy("x"), [&](absl::Status status) { written = status; });
  CHECK(Until([&] { return seen.breaks == 1; }));
  CHECK_FALSE(written.ok());
}

}  // namespace
}  // namespace culvert::net
