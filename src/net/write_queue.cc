#include "net/write_queue.h"

#include <array>
#include <cerrno>

#include "base/check.h"

namespace culvert::net {
namespace {

constexpr int kMaxParts = 64;

}  // namespace

void WriteQueue::Push(Bytes bytes, ByteStream::Completion done) {
  CULVERT_CHECK(!finishing_);
  queued_.push_back({Kind::kBytes, std::move(bytes), std::move(done)});
}

void WriteQueue::PushFinish(ByteStream::Completion done) {
  CULVERT_CHECK(!finishing_);
  finishing_ = true;
  queued_.push_back({Kind::kFinish, Bytes(), std::move(done)});
}

int WriteQueue::Flush(Gather gather, Finish finish) {
  size_t flushed = 0;
  while (!queued_.empty() && flushed < kMaxFlush) {
    if (queued_.front().kind == Kind::kFinish) {
      if (const int error = finish()) return error;
      Retire(1, absl::OkStatus());
      return 0;
    }
    std::array<iovec, kMaxParts> parts;
    const int count = Collect(parts.data(), kMaxParts);
    const auto behind = static_cast<size_t>(count);
    const bool ends = behind < queued_.size() && queued_[behind].kind == Kind::kFinish;
    const ssize_t written = gather(parts.data(), count, ends ? Next::kEnd : Next::kNothingOrBytes);
    if (written == -EINTR) continue;
    if (written == -EAGAIN) return 0;
    if (written < 0) return static_cast<int>(-written);
    flushed += static_cast<size_t>(written);
    Advance(static_cast<size_t>(written));
  }
  return 0;
}

const Bytes* WriteQueue::Front() const {
  const bool bytes = !queued_.empty() && queued_.front().kind == Kind::kBytes;
  return bytes ? &queued_.front().rest : nullptr;
}

void WriteQueue::Abandon(const absl::Status& status) { Retire(queued_.size(), status); }

int WriteQueue::Collect(iovec* parts, int most) const {
  int count = 0;
  size_t bytes = 0;
  for (const Entry& entry : queued_) {
    if (entry.kind == Kind::kFinish || count == most || bytes >= kMaxFlush) break;
    // writev takes const memory through a pointer that is not.
    parts[count++] = {const_cast<char*>(entry.rest.data()), entry.rest.size()};
    bytes += entry.rest.size();
  }
  return count;
}

void WriteQueue::Retire(size_t count, const absl::Status& status) {
  for (size_t i = 0; i < count; ++i) {
    done_.push_back({std::move(queued_[i].completion), status});
  }
  queued_.erase(queued_.begin(), queued_.begin() + static_cast<std::ptrdiff_t>(count));
}

void WriteQueue::Advance(size_t written) {
  size_t finished = 0;
  // An empty entry behind the last whole one is finished with it.
  while (finished < queued_.size() && queued_[finished].kind == Kind::kBytes &&
         queued_[finished].rest.size() <= written) {
    written -= queued_[finished].rest.size();
    ++finished;
  }
  if (written > 0) {
    Bytes& rest = queued_[finished].rest;
    rest = rest.Slice(written);
  }
  Retire(finished, absl::OkStatus());
}

}  // namespace culvert::net
