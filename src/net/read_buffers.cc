#include "net/read_buffers.h"

#include <utility>

#include "base/mutex.h"

namespace culvert::net {

struct ReadBuffers::Idle {
  Mutex mutex;
  std::vector<Buffer> buffers ABSL_GUARDED_BY(mutex);

  void Put(Buffer buffer) {
    const MutexLock lock(mutex);
    if (buffers.size() < kMostIdle) buffers.push_back(std::move(buffer));
  }
};

ReadBuffers::ReadBuffers(size_t size) : size_(size), idle_(std::make_shared<Idle>()) {}

ReadBuffers::Buffer ReadBuffers::Take() {
  {
    const MutexLock lock(idle_->mutex);
    if (!idle_->buffers.empty()) {
      Buffer buffer = std::move(idle_->buffers.back());
      idle_->buffers.pop_back();
      return buffer;
    }
  }
  return Buffer(new char[size_]);  // not value-initialised
}

size_t ReadBuffers::idle() const {
  const MutexLock lock(idle_->mutex);
  return idle_->buffers.size();
}

void ReadBuffers::Return(Buffer buffer) { idle_->Put(std::move(buffer)); }

Bytes ReadBuffers::Share(Buffer buffer, size_t filled) {
  char* const memory = buffer.release();
  const std::shared_ptr<char> owner(memory,
                                    [idle = idle_](char* back) { idle->Put(Buffer(back)); });
  return Bytes(owner, {memory, filled});
}

}  // namespace culvert::net
