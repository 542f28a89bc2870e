#include "net/write_queue.h"

#include <cerrno>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

// A descriptor that takes `room` bytes.
struct FakeSink {
  std::string taken;
  size_t room = 0;
  int finishes = 0;
  int error = 0;
  std::vector<WriteQueue::Next> said;  // of each call

  int Flush(WriteQueue& queue) {
    return queue.Flush(
        [this](const iovec* parts, int count, WriteQueue::Next next) -> ssize_t {
          said.push_back(next);
          if (error != 0) return -error;
          size_t size = 0;
          for (int i = 0; i < count && room > 0; ++i) {
            const size_t part = std::min(room, parts[i].iov_len);
            taken.append(static_cast<const char*>(parts[i].iov_base), part);
            room -= part;
            size += part;
          }
          const bool full = size == 0 && room == 0;
          return full ? -EAGAIN : static_cast<ssize_t>(size);
        },
        [this] { return ++finishes, error; });
  }
};

struct Fixture {
  WriteQueue queue;
  FakeSink sink;

  void Push(const std::string& text) {
    queue.Push(Bytes::Copy(text), [](absl::Status) {});
  }
  size_t DoneNow() { return queue.TakeDone().size(); }
};

TEST_CASE_METHOD(Fixture, "WriteQueue has an entry done when its last byte was taken",
                 "[write_queue]") {
  Push("abc");
  Push("def");
  sink.room = 2;
  CHECK(sink.Flush(queue) == 0);
  CHECK(DoneNow() == 0);
  sink.room = 1;
  CHECK(sink.Flush(queue) == 0);
  CHECK(DoneNow() == 1);
  sink.room = 100;
  CHECK(sink.Flush(queue) == 0);
  CHECK(DoneNow() == 1);
  CHECK(queue.is_empty());
  CHECK(sink.taken == "abcdef");
}

TEST_CASE_METHOD(Fixture, "WriteQueue has empty entries done in their place", "[write_queue]") {
  Push("");
  Push("a");
  Push("");
  Push("");
  Push("b");
  sink.room = 1;
  CHECK(sink.Flush(queue) == 0);
  CHECK(DoneNow() == 4);
  CHECK_FALSE(queue.is_empty());
}

TEST_CASE_METHOD(Fixture, "WriteQueue finishes after the last byte and only then",
                 "[write_queue]") {
  Push("ab");
  queue.PushFinish([](absl::Status) {});
  sink.room = 1;
  CHECK(sink.Flush(queue) == 0);
  CHECK(sink.finishes == 0);
  sink.room = 1;
  CHECK(sink.Flush(queue) == 0);
  CHECK(sink.finishes == 1);
  CHECK(DoneNow() == 2);
  CHECK(queue.is_empty());
}

TEST_CASE_METHOD(Fixture, "WriteQueue says of the last bytes that the end follows",
                 "[write_queue]") {
  using Next = WriteQueue::Next;
  sink.room = 100;
  Push("ab");
  CHECK(sink.Flush(queue) == 0);
  CHECK(sink.said == std::vector{Next::kNothingOrBytes});
  CHECK_FALSE(queue.has_finished());
  Push("cd");
  queue.PushFinish([](absl::Status) {});
  CHECK_FALSE(queue.has_finished());
  CHECK(sink.Flush(queue) == 0);
  CHECK(sink.said == std::vector{Next::kNothingOrBytes, Next::kEnd});
  CHECK(queue.has_finished());
}

TEST_CASE_METHOD(Fixture, "WriteQueue hands over at most kMaxFlush and one gather more",
                 "[write_queue]") {
  for (int i = 0; i < 100; ++i) Push(std::string(16 * 1024, 'x'));
  sink.room = 100 << 20;
  CHECK(sink.Flush(queue) == 0);
  CHECK(sink.taken.size() == WriteQueue::kMaxFlush);
  while (!queue.is_empty()) REQUIRE(sink.Flush(queue) == 0);
  CHECK(sink.taken.size() == 100 * 16 * 1024);
}

TEST_CASE_METHOD(Fixture, "WriteQueue returns the error and keeps the entries for Abandon",
                 "[write_queue]") {
  Push("ab");
  queue.PushFinish([](absl::Status) {});
  sink.error = EPIPE;
  CHECK(sink.Flush(queue) == EPIPE);
  CHECK(DoneNow() == 0);
  queue.Abandon(absl::AbortedError("gone"));
  const auto done = queue.TakeDone();
  REQUIRE(done.size() == 2);
  CHECK(absl::IsAborted(done[0].status));
  CHECK(absl::IsAborted(done[1].status));
  CHECK(queue.is_empty());
}

TEST_CASE_METHOD(Fixture, "WriteQueue can be emptied by hand", "[write_queue]") {
  CHECK(queue.Front() == nullptr);
  Push("abc");
  queue.PushFinish([](absl::Status) {});
  REQUIRE(queue.Front() != nullptr);
  queue.Advance(2);
  CHECK(queue.Front()->view() == "c");
  queue.Advance(1);
  CHECK(queue.Front() == nullptr);  // the end is left
  CHECK_FALSE(queue.is_empty());
  CHECK(DoneNow() == 1);
}

}  // namespace
}  // namespace culvert::net
