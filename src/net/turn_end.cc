#include "net/turn_end.h"

#include <uv.h>

#include <utility>

#include "base/check.h"

namespace culvert::net {

// An idle handle and not a prepare handle: one that was started by another of its kind would run
// only after the loop has waited. An active idle handle keeps the loop from waiting.
struct TurnEnd::Handle {
  uv_idle_t uv;
  absl::AnyInvocable<void()> callback;

  void Fire() {
    uv_idle_stop(&uv);
    callback();  // may destroy the TurnEnd; this stays until libuv has closed it
  }
};

TurnEnd::TurnEnd(EventLoop& loop, absl::AnyInvocable<void()> callback)
    : loop_(loop), handle_(new Handle{.uv = {}, .callback = std::move(callback)}) {
  loop_.AssertOnThread();
  CULVERT_CHECK(uv_idle_init(loop_.uv(), &handle_->uv) == 0);
  handle_->uv.data = handle_;
}

TurnEnd::~TurnEnd() {
  loop_.AssertOnThread();
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->uv),
           [](uv_handle_t* handle) noexcept { delete static_cast<Handle*>(handle->data); });
}

void TurnEnd::Schedule() {
  loop_.AssertOnThread();
  const int error = uv_idle_start(
      &handle_->uv, [](uv_idle_t* idle) noexcept { static_cast<Handle*>(idle->data)->Fire(); });
  CULVERT_CHECK(error == 0);
}

}  // namespace culvert::net
