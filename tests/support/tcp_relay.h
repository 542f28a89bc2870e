// A TCP relay on loopback that can be a bad network.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/loopback.h"

namespace culvert::test {

// Relays to a port from a thread of its own. For the test thread.
class TcpRelay {
 public:
  explicit TcpRelay(uint16_t to = 0);
  ~TcpRelay();
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // Of connections that come from now on.
  void LeadTo(uint16_t to) { to_ = to; }

  enum class Mode {
    kForward,
    // The kernel drops what comes before TCP sees it: nothing is acknowledged, and no connection
    // comes about. What a network does that is away.
    kBlackhole,
    // Connections are taken and what comes is acknowledged by the kernel, but not passed on: what a
    // broker does that was stopped.
    kFrozen,
  };
  // Takes effect before it returns.
  void SetMode(Mode mode);
  // Closes all connections.
  void Cut() { Do(Command::kCut); }
  // The same with RST.
  void Reset() { Do(Command::kReset); }
  // Connections that it has taken, ever.
  size_t taken() const { return taken_; }

 private:
  enum class Command { kNone, kMode, kCut, kReset };
  struct Pair {
    Fd in;
    Fd out;
  };
  void Do(Command command);
  void Run();
  void Apply();
  void Take();
  static bool Forward(int from, int to);

  std::atomic<uint16_t> to_;
  const Fd listener_;
  const uint16_t port_;
  std::atomic<Mode> mode_ = Mode::kForward;
  std::atomic<Command> command_ = Command::kNone;
  std::atomic<size_t> taken_ = 0;
  std::atomic<bool> ending_ = false;
  std::vector<Pair> pairs_;  // on the thread
  std::thread thread_;
};

}  // namespace culvert::test
