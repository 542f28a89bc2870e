#include "net/event_loop.h"

#include <uv.h>

#include <utility>

#include "base/check.h"
#include "net/byte_stream.h"
#include "net/read_buffers.h"
#include "net/timer.h"

namespace culvert::net {
namespace {

constexpr Duration kRunUntilTick = std::chrono::milliseconds(5);

// What this thread runs. Not EventLoop::thread_, which names a thread before it runs the loop.
thread_local const EventLoop* running_here = nullptr;

class Running {
 public:
  explicit Running(const EventLoop& loop) : outer_(std::exchange(running_here, &loop)) {}
  ~Running() { running_here = outer_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  const EventLoop* const outer_;
};

// For what the loop posts to itself: while it is active the loop does not wait, and starting it is
// no system call. The loop's data; frees itself when libuv has closed it.
uv_idle_t* MoreOf(const uv_loop_t& uv) { return static_cast<uv_idle_t*>(uv.data); }

// Called for every handle that is left when a loop is destroyed.
void AbortIfOpen(uv_handle_t* handle, void*) {
  // Whoever holds it has outlived the loop: its destructor would use freed memory.
  CULVERT_CHECK(uv_is_closing(handle));
}

}  // namespace

EventLoop::EventLoop()
    : uv_(std::make_unique<uv_loop_t>()),
      wakeup_(new uv_async_t),
      thread_(std::this_thread::get_id()) {
  CULVERT_CHECK(uv_loop_init(uv_.get()) == 0);
  wakeup_->data = this;
  CULVERT_CHECK(uv_async_init(uv_.get(), wakeup_, [](uv_async_t* handle) noexcept {
                  static_cast<EventLoop*>(handle->data)->Drain();
                }) == 0);
  auto* const more = new uv_idle_t;
  more->data = this;
  CULVERT_CHECK(uv_idle_init(uv_.get(), more) == 0);
  uv_->data = more;
}

EventLoop::~EventLoop() {
  thread_ = std::this_thread::get_id();
  while (HasTasks()) Drain();
  CULVERT_CHECK(keep_alives_ == 0);
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  uv_close(reinterpret_cast<uv_handle_t*>(wakeup_),
           [](uv_handle_t* handle) noexcept { delete reinterpret_cast<uv_async_t*>(handle); });
  uv_close(reinterpret_cast<uv_handle_t*>(MoreOf(*uv_)),
           [](uv_handle_t* handle) noexcept { delete reinterpret_cast<uv_idle_t*>(handle); });
  uv_walk(uv_.get(), AbortIfOpen, nullptr);
  // Only closing handles and requests in libuv's thread pool are left: this ends by itself.
  uv_run(uv_.get(), UV_RUN_DEFAULT);
  CULVERT_CHECK(uv_loop_close(uv_.get()) == 0);
}

void EventLoop::Post(Task task) {
  MutexLock lock(mutex_);
  CULVERT_CHECK(!closed_);
  queue_.push_back(std::move(task));
  if (queue_.size() > 1) return;  // whoever posted the first sees to it
  if (running_here == this) {
    const int error = uv_idle_start(MoreOf(*uv_), [](uv_idle_t* handle) noexcept {
      uv_idle_stop(handle);
      static_cast<EventLoop*>(handle->data)->Drain();
    });
    CULVERT_CHECK(error == 0);
    return;
  }
  // Drain clears libuv's pending flag before it takes the mutex. So a push that it missed comes
  // after its swap, finds the queue empty and wakes again: no wake-up is lost although libuv 1.44
  // coalesces without a full fence. Inside the lock because the task may be the loop's last one:
  // its thread cannot see it, end and close the handle before the wake-up is written.
  CULVERT_CHECK(uv_async_send(wakeup_) == 0);
}

void EventLoop::Drain() {
  std::vector<Task> batch;
  {
    MutexLock lock(mutex_);
    batch.swap(queue_);
  }
  // Unlocked: running or destroying a task may post.
  for (Task& queued : batch) {
    Task task = std::move(queued);
    std::move(task)();
  }
}

bool EventLoop::HasTasks() {
  MutexLock lock(mutex_);
  return !queue_.empty();
}

void EventLoop::Run() {
  thread_ = std::this_thread::get_id();
  const Running running(*this);
  // The wake-up handle is referenced, so a turn blocks until something happens.
  while (!stopping_ || keep_alives_ > 0 || HasTasks()) uv_run(uv_.get(), UV_RUN_ONCE);
}

void EventLoop::Stop() {
  Post([this] { stopping_ = true; });
}

bool EventLoop::RunUntil(const std::function<bool()>& done, Duration limit) {
  thread_ = std::this_thread::get_id();
  const Running running(*this);
  const MonotonicTime end = MonotonicNow() + limit;
  Timer tick(*this);
  // What `done` looks at may change without an event of this loop. A turn begins with the timers
  // and then waits for the next one: this must be set again by then.
  const std::function<void()> arm = [&tick, &arm] { tick.Start(kRunUntilTick, [&arm] { arm(); }); };
  arm();
  while (!done()) {
    if (MonotonicNow() >= end) return false;
    uv_run(uv_.get(), UV_RUN_ONCE);
  }
  return true;
}

void EventLoop::AssertOnThread() const { CULVERT_CHECK(IsOnThread()); }

bool EventLoop::IsOnThread() const {
  return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

MonotonicTime EventLoop::Now() const {
  AssertOnThread();
  return MonotonicTime(std::chrono::milliseconds(uv_now(uv_.get())));
}

absl::Span<char> EventLoop::scratch() {
  AssertOnThread();
  // Not value-initialised: it is written before it is read.
  if (scratch_ == nullptr) scratch_.reset(new char[ByteStream::kMaxRead]);
  return absl::MakeSpan(scratch_.get(), ByteStream::kMaxRead);
}

ReadBuffers& EventLoop::read_buffers() {
  AssertOnThread();
  if (read_buffers_ == nullptr)
    read_buffers_ = std::make_unique<ReadBuffers>(ByteStream::kMostReadSize);
  return *read_buffers_;
}

EventLoop::KeepAlive::KeepAlive(EventLoop& loop) : loop_(loop) {
  loop_.AssertOnThread();
  ++loop_.keep_alives_;
}

EventLoop::KeepAlive::~KeepAlive() {
  loop_.AssertOnThread();
  --loop_.keep_alives_;
}

}  // namespace culvert::net
