#include "net/deferred.h"

#include <utility>

namespace culvert::net {

struct Deferred::Block {
  absl::AnyInvocable<void()> callback;
  bool owned = true;     // by a Deferred
  bool running = false;  // the callback is on the stack: it must not be freed
  int queued = 0;        // tasks in the loop's queue
  bool scheduled = false;

  void Run() {
    --queued;
    if (owned && scheduled) {
      scheduled = false;
      running = true;
      callback();
      running = false;
    }
    FreeIfUnused();
  }

  void FreeIfUnused() {
    if (!owned && !running && queued == 0) delete this;
  }
};

Deferred::Deferred(EventLoop& loop, absl::AnyInvocable<void()> callback)
    : loop_(loop), block_(new Block{.callback = std::move(callback)}) {}

Deferred::~Deferred() {
  loop_.AssertOnThread();
  block_->owned = false;
  block_->FreeIfUnused();
}

void Deferred::Schedule() {
  loop_.AssertOnThread();
  if (std::exchange(block_->scheduled, true)) return;
  ++block_->queued;
  loop_.Post([block = block_] { block->Run(); });
}

}  // namespace culvert::net
