#include "net/loop_thread.h"

#include <future>
#include <memory>
#include <utility>

#include "base/check.h"

namespace culvert::net {
namespace {

void PostAndWait(EventLoop& loop, EventLoop::Task task) {
  // Shared: this thread may be gone from here before set_value has returned on the other.
  auto done = std::make_shared<std::promise<void>>();
  loop.Post([done, task = std::move(task)]() mutable {
    std::move(task)();
    done->set_value();
  });
  done->get_future().wait();
}

}  // namespace

LoopThread::LoopThread() : thread_([this] { loop_.Run(); }) {
  // So that the loop has its thread before anybody asks which it is.
  PostAndWait(loop_, [] {});
}

LoopThread::~LoopThread() {
  CULVERT_CHECK(!loop_.IsOnThread());
  loop_.Stop();
  thread_.join();
}

void LoopThread::Run(EventLoop::Task task) {
  CULVERT_CHECK(!loop_.IsOnThread());
  PostAndWait(loop_, std::move(task));
}

}  // namespace culvert::net
