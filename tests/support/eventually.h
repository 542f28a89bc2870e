// Waiting for what another thread does and no callback tells.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace culvert::test {

// Asks until `done` is true, at most `limit`. For the test thread.
inline bool Eventually(const std::function<bool()>& done,
                       std::chrono::nanoseconds limit = std::chrono::seconds(5)) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace culvert::test
