// A libuv loop, the one thread that runs it, and the queue through which every other thread reaches
// it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"

struct uv_loop_s;
struct uv_async_s;

namespace culvert::net {

class ReadBuffers;

// Owns every object that is confined to it, in the sense that they must be gone before it is: the
// destructor aborts if a handle is still open (a leak of ours). The thread that calls Run() or
// RunUntil() is "the loop thread"; it is a capability that clang checks (`ABSL_GUARDED_BY(loop_)`).
class ABSL_LOCKABLE EventLoop {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  EventLoop();
  // When no thread runs the loop any more; the destroying thread then counts as the loop's. Runs
  // what was posted, then closes. Waits for a getaddrinfo under way, which cannot be interrupted.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Any thread, also from inside a task. Tasks run in the order of Post, on the loop thread, never
  // inside the call. Tasks posted by a running batch run in the next turn. Must not throw. To be
  // able to take a task back see Deferred.
  void Post(Task task);

  // Runs until Stop() was called, then until all keep-alives (see KeepAlive) are gone and no task
  // is left; open handles do not hold it. Call once, from the thread that is to be the loop thread.
  void Run();
  // Any thread. The loop ends once nothing keeps it alive. What was posted before has run by then.
  void Stop();

  // For tests: runs on the calling thread until `done()` is true (returns true) or `limit` has
  // passed (returns false). `done` is asked before the first turn, after each, and every 5 ms. May
  // be called again.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  // Aborts when called on any thread but the loop's. Before the first Run the constructing thread
  // counts as the loop's.
  void AssertOnThread() const ABSL_ASSERT_EXCLUSIVE_LOCK();
  bool IsOnThread() const;

  // The time as of this turn (it does not move while a callback runs), in whole milliseconds of the
  // clock of MonotonicNow(). Loop thread.
  MonotonicTime Now() const;

  // While one lives, Run does not return: held by things whose last callback comes from a foreign
  // thread (a gRPC call before its OnDone). Construct and destroy on the loop thread.
  class KeepAlive {
   public:
    explicit KeepAlive(EventLoop& loop);
    ~KeepAlive();
    KeepAlive(const KeepAlive&) = delete;
    KeepAlive& operator=(const KeepAlive&) = delete;

   private:
    EventLoop& loop_;
  };

  // For the classes of src/net only.
  uv_loop_s* uv() { return uv_.get(); }
  // One buffer of ByteStream::kMaxRead bytes for all reads of this loop: idle streams hold none.
  // Its content is lost when the callback that filled it returns. For the classes of src/net only.
  absl::Span<char> scratch();
  // Those of ByteStream::kMostReadSize bytes, for larger reads. For the classes of src/net only.
  ReadBuffers& read_buffers();

 private:
  void Drain();
  bool HasTasks();

  std::unique_ptr<uv_loop_s> uv_;
  uv_async_s* wakeup_;  // frees itself when libuv has closed it
  std::atomic<std::thread::id> thread_;
  std::unique_ptr<char[]> scratch_;
  std::unique_ptr<ReadBuffers> read_buffers_;
  int keep_alives_ = 0;    // loop thread
  bool stopping_ = false;  // loop thread

  Mutex mutex_;
  std::vector<Task> queue_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace culvert::net
