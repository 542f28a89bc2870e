#include "net/timer.h"

#include <uv.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace culvert::net {
namespace {

// libuv counts from the time of the turn, which a long turn (or a loop that has not run yet) leaves
// behind the real one.
uint64_t Lag(const uv_loop_t* uv) {
  const uint64_t real = uv_hrtime() / 1'000'000;
  return real - std::min(real, uv_now(uv));
}

}  // namespace

// Most timers of a connection are never started: libuv's part, the larger one, comes with the first
// start.
struct Timer::Handle {
  uv_timer_t* uv = nullptr;
  absl::AnyInvocable<void() &&> callback;

  void Open(EventLoop& loop) {
    uv = new uv_timer_t;
    CULVERT_CHECK(uv_timer_init(loop.uv(), uv) == 0);
    uv->data = this;
  }

  void Fire() {
    auto fired = std::exchange(callback, nullptr);
    std::move(fired)();  // may destroy the timer
  }
};

Timer::Timer(EventLoop& loop) : loop_(loop), handle_(new Handle) { loop_.AssertOnThread(); }

Timer::~Timer() {
  loop_.AssertOnThread();
  if (handle_->uv != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle_->uv),
             [](uv_handle_t* uv) noexcept { delete reinterpret_cast<uv_timer_t*>(uv); });
  }
  delete handle_;
}

void Timer::Start(Duration delay, absl::AnyInvocable<void() &&> callback) {
  loop_.AssertOnThread();
  if (handle_->uv == nullptr) handle_->Open(loop_);
  // Not 0: libuv 1.44 runs a timer of 0 that was started by a timer in the same turn, so that a
  // callback which starts its own timer again would never let the loop go on.
  const auto ms = std::max<int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(delay).count());
  handle_->callback = std::move(callback);
  CULVERT_CHECK(uv_timer_start(
                    handle_->uv,
                    [](uv_timer_t* timer) noexcept { static_cast<Handle*>(timer->data)->Fire(); },
                    static_cast<uint64_t>(ms) + Lag(loop_.uv()), 0) == 0);
}

void Timer::Cancel() {
  loop_.AssertOnThread();
  if (handle_->uv != nullptr) uv_timer_stop(handle_->uv);
  handle_->callback = nullptr;
}

bool Timer::is_set() const {
  loop_.AssertOnThread();
  return handle_->uv != nullptr &&
         uv_is_active(reinterpret_cast<const uv_handle_t*>(handle_->uv)) != 0;
}

}  // namespace culvert::net
