#include "net/turn_end.h"

#include <uv.h>

#include <utility>

#include "base/check.h"

namespace culvert::net {

// A check handle runs when all events that were found have been handled, without another look for
// more. What is scheduled elsewhere, by a timer or by another of its kind, has it too late, after
// the loop has waited: there the idle handle is first, and keeps the loop from waiting.
struct TurnEnd::Handle {
  uv_idle_t idle;
  uv_check_t check;
  absl::AnyInvocable<void()> callback;
  int open = 2;

  void Start() {
    int error = uv_idle_start(
        &idle, [](uv_idle_t* handle) noexcept { static_cast<Handle*>(handle->data)->Fire(); });
    CULVERT_CHECK(error == 0);
    error = uv_check_start(
        &check, [](uv_check_t* handle) noexcept { static_cast<Handle*>(handle->data)->Fire(); });
    CULVERT_CHECK(error == 0);
  }
  void Fire() {
    uv_idle_stop(&idle);
    uv_check_stop(&check);
    callback();  // may destroy the TurnEnd; this stays until libuv has closed both
  }
  void Close() {
    const auto closed = [](uv_handle_t* handle) noexcept {
      auto* const self = static_cast<Handle*>(handle->data);
      if (--self->open == 0) delete self;
    };
    uv_close(reinterpret_cast<uv_handle_t*>(&idle), closed);
    uv_close(reinterpret_cast<uv_handle_t*>(&check), closed);
  }
};

TurnEnd::TurnEnd(EventLoop& loop, absl::AnyInvocable<void()> callback)
    : loop_(loop), handle_(new Handle{.idle = {}, .check = {}, .callback = std::move(callback)}) {
  loop_.AssertOnThread();
  CULVERT_CHECK(uv_idle_init(loop_.uv(), &handle_->idle) == 0);
  CULVERT_CHECK(uv_check_init(loop_.uv(), &handle_->check) == 0);
  handle_->idle.data = handle_;
  handle_->check.data = handle_;
}

TurnEnd::~TurnEnd() {
  loop_.AssertOnThread();
  handle_->Close();
}

void TurnEnd::Schedule() {
  loop_.AssertOnThread();
  handle_->Start();
}

}  // namespace culvert::net
