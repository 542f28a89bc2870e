#include "net/stream_core.h"

#include <string>
#include <utility>

#include "base/check.h"

namespace culvert::net {

StreamCore::StreamCore(EventLoop& loop) : loop_(loop), report_(loop, [this] { Run([] {}); }) {}

void StreamCore::SetDelegate(ByteStream::Delegate* delegate) {
  loop_.AssertOnThread();
  CULVERT_CHECK(delegate != nullptr);
  delegate_ = delegate;
  // Whoever takes the stream over has not heard that it is broken.
  if (state_ == State::kBroken) {
    state_ = State::kBreaking;
    report_.Schedule();
  }
  Rewatch();
}

void StreamCore::SetReading(bool on) {
  loop_.AssertOnThread();
  CULVERT_CHECK(delegate_ != nullptr);
  if (input_ == Input::kEnded) return;
  input_ = on ? Input::kReading : Input::kPaused;
  Rewatch();
}

void StreamCore::Write(Bytes bytes, ByteStream::Completion done) {
  loop_.AssertOnThread();
  Push([&] { queue_.Push(std::move(bytes), std::move(done)); });
}

void StreamCore::WriteAll(std::vector<Bytes> parts, ByteStream::Completion done) {
  loop_.AssertOnThread();
  CULVERT_CHECK(!parts.empty());
  Push([&] {
    Bytes last = std::move(parts.back());
    parts.pop_back();
    for (Bytes& part : parts) queue_.Push(std::move(part), ByteStream::Completion());
    queue_.Push(std::move(last), std::move(done));
  });
}

void StreamCore::FinishWriting(ByteStream::Completion done) {
  loop_.AssertOnThread();
  Push([&] { queue_.PushFinish(std::move(done)); });
}

void StreamCore::FinishWith(std::vector<Bytes> last, ByteStream::Completion done) {
  loop_.AssertOnThread();
  Push([&] {
    for (Bytes& part : last) queue_.Push(std::move(part), ByteStream::Completion());
    queue_.PushFinish(std::move(done));
  });
}

// Hands over at once if nothing waits before it, yet completes in a later turn.
void StreamCore::Push(absl::FunctionRef<void()> push) {
  CULVERT_CHECK(delegate_ != nullptr);
  const bool was_empty = queue_.is_empty();
  push();
  if (is_broken()) queue_.Abandon(broken_);
  if (was_empty) Flush();
  if (queue_.has_done() || state_ == State::kBreaking) report_.Schedule();
  Rewatch();
}

void StreamCore::Close() {
  loop_.AssertOnThread();
  open_ = false;
  queue_ = WriteQueue();
  Release();
  if (!running_) delete this;
}

void StreamCore::Run(absl::FunctionRef<void()> handle) {
  running_ = true;
  handle();
  if (open_) Report();
  if (open_) Rewatch();
  running_ = false;
  if (!open_) delete this;
}

void StreamCore::Deliver(Bytes bytes) { delegate_->OnBytes(std::move(bytes)); }

void StreamCore::DeliverEnd() {
  input_ = Input::kEnded;
  delegate_->OnEnd();
}

void StreamCore::Break(absl::Status why) {
  if (is_broken()) return;
  state_ = State::kBreaking;
  broken_ = std::move(why);
  queue_.Abandon(broken_);
}

void StreamCore::Flush() {
  if (is_broken() || queue_.is_empty()) return;
  if (absl::Status flushed = FlushTo(queue_); !flushed.ok()) Break(std::move(flushed));
}

void StreamCore::Report() {
  for (WriteQueue::Done& done : queue_.TakeDone()) {
    if (done.completion) std::move(done.completion)(done.status);
    if (!open_) return;
  }
  if (queue_.has_done()) report_.Schedule();  // of writes that a completion made
  if (state_ == State::kBreaking) {
    state_ = State::kBroken;
    delegate_->OnBroken(broken_);
  }
}

}  // namespace culvert::net
