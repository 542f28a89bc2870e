// The TCP sockets of this process that lead to a peer, whoever opened them: gRPC shows nothing of
// the ones that it uses, and the kernel knows long before gRPC whether a connection is stuck.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "net/address.h"
#include "net/tcp_progress.h"

namespace culvert::net {

struct ConnectedSocket : TcpProgress {
  Address local;
};

// Confined to one thread. Remembers where it has found them, so that only a new connection costs a
// look at every descriptor of the process.
class ConnectedSockets {
 public:
  // Those to one of `peers` now, not counting those that were ignored. `now` is MonotonicNow().
  std::vector<ConnectedSocket> Look(const std::vector<Address>& peers, MonotonicTime now);
  // What there is now is not counted any more: it belongs to a connection that was given up.
  void IgnorePresent(const std::vector<Address>& peers, MonotonicTime now);

  // One has come about: the next Look looks for it, if it knows none.
  void Expect() { next_scan_ = {}; }

  // Looking at every descriptor is not for every turn: at first this often, and as long as nothing
  // is found ever more rarely. IgnorePresent begins anew.
  static constexpr Duration kScanInterval = std::chrono::milliseconds(250);
  static constexpr Duration kMaxScanInterval = std::chrono::seconds(4);

 private:
  struct Known {
    int fd;
    uint64_t cookie;
  };
  void ScanNow(const std::vector<Address>& peers, MonotonicTime now);
  void Scan(const std::vector<Address>& peers);

  std::vector<Known> known_;
  std::vector<uint64_t> ignored_;  // cookies of sockets that are still open
  MonotonicTime next_scan_{};
  Duration scan_interval_ = kScanInterval;
};

// Whether an interface of this machine has that address.
bool IsLocalAddress(const Address& address);

}  // namespace culvert::net
