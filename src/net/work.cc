#include "net/work.h"

#include <uv.h>

#include <memory>
#include <utility>

#include "base/check.h"

namespace culvert::net {

// Lives until libuv has let go of it.
struct Work::Request {
  uv_work_t uv{};
  Work* owner = nullptr;  // null once destroyed
  absl::AnyInvocable<void() &&> job;
  absl::AnyInvocable<void() &&> done;

  static void Run(uv_work_t* work) noexcept {
    Request& request = *static_cast<Request*>(work->data);
    std::exchange(request.job, nullptr)();
  }

  static void AfterRun(uv_work_t* work, int /*status*/) noexcept {
    const std::unique_ptr<Request> self(static_cast<Request*>(work->data));
    if (self->owner == nullptr) return;
    self->owner->loop_.AssertOnThread();
    self->owner->request_ = nullptr;
    std::exchange(self->done, nullptr)();
  }
};

Work::Work(EventLoop& loop, absl::AnyInvocable<void() &&> job, absl::AnyInvocable<void() &&> done)
    : loop_(loop) {
  loop_.AssertOnThread();
  auto request = std::make_unique<Request>();
  request->uv.data = request.get();
  request->owner = this;
  request->job = std::move(job);
  request->done = std::move(done);
  request_ = request.release();
  CULVERT_CHECK(uv_queue_work(loop_.uv(), &request_->uv, &Request::Run, &Request::AfterRun) == 0);
}

Work::~Work() {
  loop_.AssertOnThread();
  if (request_ == nullptr) return;
  request_->owner = nullptr;
  request_->done = nullptr;
  // Helps only while it waits for a thread; otherwise it runs to its end, unheard.
  uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

}  // namespace culvert::net
