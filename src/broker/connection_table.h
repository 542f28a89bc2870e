// The sockets that were handed to gRPC, by peer address: gRPC does not say when it closes one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"

namespace culvert::broker {

// A socket is known by its descriptor and its kernel cookie (SO_COOKIE): once the descriptor is
// closed, or is another socket, the connection has ended. That is looked up only when an address is
// at its limit, so that a connection costs nothing but its entry. Confined to the control loop.
class ConnectionTable {
 public:
  // Looking at every socket is dear: at the limit, not for each connection that comes.
  static constexpr Duration kSweepInterval = std::chrono::milliseconds(100);

  // `limit` is of all addresses together; 0: none but the descriptors of the process.
  ConnectionTable(uint64_t limit_per_address, uint64_t limit) {
    SetLimits(limit_per_address, limit);
  }

  // Counts `fd` for `address`. RESOURCE_EXHAUSTED when that many of its sockets are open already;
  // the caller closes `fd` then.
  absl::Status Admit(const std::string& address, int fd, MonotonicTime now);
  void SetLimits(uint64_t per_address, uint64_t limit);

 private:
  struct Entry {
    int fd;
    uint64_t cookie;
  };
  struct Address {
    std::vector<Entry> entries;
    std::optional<MonotonicTime> last_sweep;
  };
  static bool IsDue(std::optional<MonotonicTime>& last_sweep, MonotonicTime now);
  void Sweep(std::vector<Entry>& entries);
  void SweepAll(MonotonicTime now);

  static constexpr size_t kFirstSweep = 1024;

  uint64_t limit_per_address_ = 0;
  uint64_t limit_ = 0;
  uint64_t total_ = 0;
  std::unordered_map<std::string, Address> by_address_;
  // When so many addresses are known, those that never came back are forgotten.
  size_t sweep_all_at_ = kFirstSweep;
  std::optional<MonotonicTime> last_sweep_;  // of all
};

}  // namespace culvert::broker
