#include "net/fd_poll.h"

#include <uv.h>

#include <utility>

#include "base/check.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

int ToUv(unsigned events) {
  int bits = 0;
  if (events & FdPoll::kReadable) bits |= UV_READABLE;
  if (events & FdPoll::kWritable) bits |= UV_WRITABLE;
  // epoll reports errors and hang-ups whatever is asked for, but libuv watches nothing when asked
  // for nothing. Priority data is what else to ask for: unlike UV_DISCONNECT it does not wake for a
  // FIN.
  if (events & FdPoll::kBroken) bits |= UV_PRIORITIZED;
  if (events & FdPoll::kPeerFinished) bits |= UV_DISCONNECT;
  return bits;
}

unsigned FromUv(int bits) {
  unsigned events = 0;
  if (bits & UV_READABLE) events |= FdPoll::kReadable;
  if (bits & UV_WRITABLE) events |= FdPoll::kWritable;
  // A lone hang-up is turned by libuv into what was asked for.
  if (bits & UV_PRIORITIZED) events |= FdPoll::kBroken;
  if (bits & UV_DISCONNECT) events |= FdPoll::kPeerFinished;
  return events;
}

}  // namespace

struct FdPoll::Handle {
  uv_poll_t uv;
  absl::AnyInvocable<void(unsigned)> ready;
  bool open = false;
  unsigned watched = 0;

  void HandleReady(int status, int bits) {
    // libuv 1.44 reports POLLERR as UV_EBADF and has stopped watching by then.
    if (status < 0) watched = 0;
    ready(status < 0 ? kBroken : FromUv(bits));  // may destroy the FdPoll, yet not this block
  }
};

FdPoll::FdPoll(EventLoop& loop, absl::AnyInvocable<void(unsigned)> ready)
    : loop_(loop), handle_(new Handle{.uv = {}, .ready = std::move(ready)}) {
  loop_.AssertOnThread();
}

FdPoll::~FdPoll() {
  loop_.AssertOnThread();
  if (!handle_->open) {
    delete handle_;
    return;
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->uv),
           [](uv_handle_t* handle) noexcept { delete static_cast<Handle*>(handle->data); });
}

absl::Status FdPoll::Open(int fd) {
  loop_.AssertOnThread();
  CULVERT_CHECK(!handle_->open);
  if (const int result = uv_poll_init(loop_.uv(), &handle_->uv, fd); result != 0) {
    return ErrnoStatus(-result);
  }
  handle_->uv.data = handle_;
  handle_->open = true;
  return absl::OkStatus();
}

void FdPoll::Watch(unsigned events) {
  loop_.AssertOnThread();
  CULVERT_CHECK(handle_->open);
  if (events == handle_->watched) return;
  handle_->watched = events;
  const int result =
      uv_poll_start(&handle_->uv, ToUv(events), [](uv_poll_t* poll, int status, int bits) noexcept {
        static_cast<Handle*>(poll->data)->HandleReady(status, bits);
      });
  CULVERT_CHECK(result == 0);
}

unsigned FdPoll::watched() const {
  loop_.AssertOnThread();
  return handle_->watched;
}

}  // namespace culvert::net
