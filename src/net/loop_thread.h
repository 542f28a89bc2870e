// A thread that runs one EventLoop.
#pragma once

#include <thread>

#include "net/event_loop.h"

namespace culvert::net {

class LoopThread {
 public:
  LoopThread();
  // Stops the loop, waits until nothing keeps it alive, joins. What was posted before has run.
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  EventLoop& loop() { return loop_; }

  // Runs `task` on the loop and waits for its end. Not on the loop thread (aborts).
  void Run(EventLoop::Task task);

 private:
  EventLoop loop_;
  std::thread thread_;
};

}  // namespace culvert::net
