#include "net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "net/limits.h"

namespace culvert::net {
namespace {

// To try costs a few system calls, which whoever copies instead would pay for every piece.
constexpr int kPassAfterFailure = 64;

}  // namespace

bool PipeBudget::Take() {
  int left = left_.load(std::memory_order_relaxed);
  while (left > 0) {
    if (left_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

std::unique_ptr<Pipe> Pipe::Open(PipeBudget& budget) {
  if (!budget.Take()) return nullptr;
  std::unique_ptr<Pipe> pipe(new Pipe(budget));
  if (!pipe->Make()) return nullptr;
  return pipe;
}

bool Pipe::Make() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  reader_.reset(fds[0]);
  writer_.reset(fds[1]);
  if (fds[1] >= DescriptorRefusalThreshold()) return false;
  int bytes = fcntl(fds[1], F_SETPIPE_SZ, static_cast<int>(kWantedBytes));
  if (bytes < 0) bytes = fcntl(fds[1], F_GETPIPE_SZ);  // EPERM: this user has many
  capacity_ = bytes < 0 ? 0 : static_cast<size_t>(bytes);
  return capacity_ >= kFewestBytes;
}

std::unique_ptr<Pipe> PipePool::Take() {
  if (!idle_.empty()) {
    std::unique_ptr<Pipe> pipe = std::move(idle_.back());
    idle_.pop_back();
    return pipe;
  }
  if (pass_ > 0) {
    --pass_;
    return nullptr;
  }
  std::unique_ptr<Pipe> pipe = Pipe::Open(budget_);
  if (pipe == nullptr) pass_ = kPassAfterFailure;
  return pipe;
}

void PipePool::Return(std::unique_ptr<Pipe> pipe) {
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(pipe));
}

}  // namespace culvert::net
