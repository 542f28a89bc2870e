// The sockets that were handed to gRPC, by peer address: gRPC does not say when it closes one.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"

namespace culvert::broker {

// A socket is known by its descriptor and its kernel cookie (SO_COOKIE): once the descriptor is
// closed, or is another socket, the connection has ended. That is looked up only when an address is
// at its limit, so that a connection costs nothing but its entry. Confined to the control loop.
class ConnectionTable {
 public:
  explicit ConnectionTable(uint64_t limit_per_address) : limit_(limit_per_address) {}

  // Counts `fd` for `address`. RESOURCE_EXHAUSTED when that many of its sockets are open already;
  // the caller closes `fd` then.
  absl::Status Admit(const std::string& address, int fd);
  void set_limit(uint64_t limit) { limit_ = limit; }

 private:
  struct Entry {
    int fd;
    uint64_t cookie;
  };
  static void Sweep(std::vector<Entry>& entries);

  uint64_t limit_;
  std::unordered_map<std::string, std::vector<Entry>> by_address_;
  size_t sweep_all_at_ =
      1024;  // addresses that never come back are forgotten when the table has doubled
};

}  // namespace culvert::broker
