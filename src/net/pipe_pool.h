// Pipes for splice(2): lent while bytes are on their way, so that an idle connection holds none.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "net/unique_fd.h"

namespace culvert::net {

// How many pipes there may be in the process. Any thread; outlives the pools that draw from it.
class PipeBudget {
 public:
  explicit PipeBudget(int most) : left_(most) {}
  PipeBudget(const PipeBudget&) = delete;
  PipeBudget& operator=(const PipeBudget&) = delete;

  bool Take();
  void Return() { left_.fetch_add(1, std::memory_order_relaxed); }
  int left() const { return left_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> left_;
};

// Both ends of one pipe, non-blocking. Counts against the budget until it is destroyed.
class Pipe {
 public:
  // Linux's own size, and the least that is worth having: a user with many pipes gets 8 KiB.
  static constexpr size_t kFewestBytes = size_t{64} * 1024;
  static constexpr size_t kWantedBytes = size_t{256} * 1024;

  // Null when the budget is used up, descriptors run short, or the kernel gives too small ones.
  static std::unique_ptr<Pipe> Open(PipeBudget& budget);
  ~Pipe() { budget_.Return(); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int reader() const { return reader_.get(); }
  int writer() const { return writer_.get(); }
  size_t capacity() const { return capacity_; }

 private:
  explicit Pipe(PipeBudget& budget) : budget_(budget) {}
  bool Make();

  PipeBudget& budget_;
  UniqueFd reader_;
  UniqueFd writer_;
  size_t capacity_ = 0;
};

// The pipes of one loop that nobody uses now. Confined to that loop's thread.
class PipePool {
 public:
  // More of them are closed: another loop may need them.
  static constexpr size_t kMostIdle = 16;

  explicit PipePool(PipeBudget& budget) : budget_(budget) {}

  // An empty pipe; null when there is none to be had.
  std::unique_ptr<Pipe> Take();
  // Takes back an empty one.
  void Return(std::unique_ptr<Pipe> pipe);

 private:
  PipeBudget& budget_;
  std::vector<std::unique_ptr<Pipe>> idle_;
  int pass_ = 0;  // so many times more nothing is tried, since it failed
};

}  // namespace culvert::net
