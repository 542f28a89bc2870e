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

struct Timer::Handle {
  uv_timer_t uv;
  absl::AnyInvocable<void() &&> callback;

  void Fire() {
    auto fired = std::exchange(callback, nullptr);
    std::move(fired)();  // may destroy the timer
  }
};

Timer::Timer(EventLoop& loop) : loop_(loop), handle_(new Handle) {
  loop_.AssertOnThread();
  CULVERT_CHECK(uv_timer_init(loop_.uv(), &handle_->uv) == 0);
  handle_->uv.data = handle_;
}

Timer::~Timer() {
  loop_.AssertOnThread();
  handle_->callback = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->uv),
           [](uv_handle_t* handle) noexcept { delete static_cast<Handle*>(handle->data); });
}

void Timer::Start(Duration delay, absl::AnyInvocable<void() &&> callback) {
  loop_.AssertOnThread();
  // Not 0: libuv 1.44 runs a timer of 0 that was started by a timer in the same turn, so that a
  // callback which starts its own timer again would never let the loop go on.
  const auto ms = std::max<int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(delay).count());
  handle_->callback = std::move(callback);
  CULVERT_CHECK(uv_timer_start(
                    &handle_->uv,
                    [](uv_timer_t* timer) noexcept { static_cast<Handle*>(timer->data)->Fire(); },
                    static_cast<uint64_t>(ms) + Lag(loop_.uv()), 0) == 0);
}

void Timer::Cancel() {
  loop_.AssertOnThread();
  uv_timer_stop(&handle_->uv);
  handle_->callback = nullptr;
}

bool Timer::is_set() const {
  loop_.AssertOnThread();
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->uv)) != 0;
}

}  // namespace culvert::net
