#include "net/signal_watcher.h"

#include <uv.h>

#include <utility>

#include "base/check.h"

namespace culvert::net {

struct SignalWatcher::Handle {
  uv_signal_t uv;
  absl::AnyInvocable<void()> callback;
};

SignalWatcher::SignalWatcher(EventLoop& loop, int signal_number,
                             absl::AnyInvocable<void()> callback)
    : loop_(loop), handle_(new Handle{.uv = {}, .callback = std::move(callback)}) {
  loop_.AssertOnThread();
  CULVERT_CHECK(uv_signal_init(loop_.uv(), &handle_->uv) == 0);
  handle_->uv.data = handle_;
  const int started = uv_signal_start(
      &handle_->uv,
      [](uv_signal_t* signal, int) noexcept { static_cast<Handle*>(signal->data)->callback(); },
      signal_number);
  CULVERT_CHECK(started == 0);  // fails only for a number that is no signal, or cannot be caught
}

SignalWatcher::~SignalWatcher() {
  loop_.AssertOnThread();
  // A callback under way may be what destroys this: it is freed with the handle, in a later turn.
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->uv),
           [](uv_handle_t* handle) noexcept { delete static_cast<Handle*>(handle->data); });
}

}  // namespace culvert::net
