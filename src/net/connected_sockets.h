// The TCP sockets of this process that lead to a peer, whoever opened them: gRPC shows nothing of
// the ones that it uses, and the kernel knows long before gRPC whether a connection is stuck.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "net/address.h"

namespace culvert::net {

// SO_COOKIE: tells sockets apart, also when a descriptor is used again. None for what is no socket.
std::optional<uint64_t> SocketCookie(int fd);

// What the kernel knows of one connection.
struct TcpProgress {
  // After 1.4 s where a round trip is short: the kernel waits twice as long each time.
  static constexpr unsigned kStalledAfter = 3;

  uint64_t cookie = 0;  // SocketCookie
  Address local;
  // When something came from the peer last: an acknowledgement of ours, data of its own.
  MonotonicTime last_ack{};
  MonotonicTime last_data{};
  // Something of ours is on its way, or waits to be.
  bool outstanding = false;
  // Something of ours was sent and is not acknowledged. False while the peer has no room: then it
  // is alive.
  bool unacknowledged = false;
  // That was sent kStalledAfter times more, and nothing of it was acknowledged, whatever else came.
  bool stalled = false;
  Duration round_trip{};  // smoothed; 0 if not known
};

// Confined to one thread. Remembers where it has found them, so that only a new connection costs a
// look at every descriptor of the process.
class ConnectedSockets {
 public:
  // Those to one of `peers` now, not counting those that were ignored. `now` is MonotonicNow().
  std::vector<TcpProgress> Look(const std::vector<Address>& peers, MonotonicTime now);
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
