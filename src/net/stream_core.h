// What the kinds of ByteStream on descriptors have in common. Private to src/net.
#pragma once

#include <vector>

#include "absl/functional/function_ref.h"
#include "net/byte_stream.h"
#include "net/event_loop.h"
#include "net/turn_end.h"
#include "net/write_queue.h"

namespace culvert::net {

// All of a stream but its descriptors. Separate from the ByteStream that owns it, because a
// delegate or a completion may destroy the stream while a method of this is on the stack: Close()
// then leaves the core to free itself at the end of that method. Confined to the loop; Close() is
// the only way to end it.
class StreamCore {
 public:
  StreamCore(const StreamCore&) = delete;
  StreamCore& operator=(const StreamCore&) = delete;

  // As those of ByteStream.
  void SetDelegate(ByteStream::Delegate* delegate);
  void SetReading(bool on);
  void Write(Bytes bytes, ByteStream::Completion done);
  void WriteAll(std::vector<Bytes> parts, ByteStream::Completion done);
  void FinishWriting(ByteStream::Completion done);
  void FinishWith(std::vector<Bytes> last, ByteStream::Completion done);

  // The stream is destroyed: nothing of its user runs any more. This is freed, now or soon.
  void Close();

 protected:
  explicit StreamCore(EventLoop& loop);
  virtual ~StreamCore() = default;

  // What libuv calls goes through this: runs `handle`, then the completions that are due and
  // OnBroken, then Rewatch. Stops as soon as the stream is closed.
  void Run(absl::FunctionRef<void()> handle);

  // In `handle`: for the delegate.
  void Deliver(Bytes bytes);
  void DeliverEnd();
  // The stream is broken: `why` goes to everything that waits and, once, to the delegate.
  void Break(absl::Status why);
  // Hands over what is queued, as far as it goes.
  void Flush();

  EventLoop& loop() { return loop_; }
  bool is_open() const { return open_; }  // false once Close() was called
  bool is_broken() const { return state_ != State::kOpen; }
  // Both directions, in order.
  bool has_ended() const {
    return !is_broken() && input_ == Input::kEnded && queue_.has_finished();
  }
  bool is_reading() const { return input_ == Input::kReading && !is_broken(); }
  bool wants_to_write() const { return !queue_.is_empty() && !is_broken(); }
  bool has_delegate() const { return delegate_ != nullptr; }

 private:
  enum class State { kOpen, kBreaking, kBroken };  // kBreaking: the delegate is not told yet
  enum class Input { kPaused, kReading, kEnded };

  // Passes the queue on to the descriptor. OK, or why nothing can be written any more.
  virtual absl::Status FlushTo(WriteQueue& queue) = 0;
  // Watches for what is wanted now.
  virtual void Rewatch() = 0;
  // Lets go of the descriptors and cancels what waits for them. Called once, possibly on the stack
  // of a callback.
  virtual void Release() = 0;

  void Push(absl::FunctionRef<void()> push);
  void Report();

  EventLoop& loop_;
  ByteStream::Delegate* delegate_ = nullptr;
  State state_ = State::kOpen;
  Input input_ = Input::kPaused;
  bool open_ = true;      // the ByteStream exists
  bool running_ = false;  // Run is on the stack
  absl::Status broken_;   // the reason, unless kOpen
  WriteQueue queue_;
  TurnEnd report_;
};

}  // namespace culvert::net
