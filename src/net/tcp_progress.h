// What the kernel knows of a TCP connection: whether what was sent arrives.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace culvert::net {

// SO_COOKIE: tells sockets apart, also when a descriptor is used again. None for what is no socket.
std::optional<uint64_t> SocketCookie(int fd);

// What the kernel knows of one connection.
struct TcpProgress {
  // After 1.4 s where a round trip is short: the kernel waits twice as long each time.
  static constexpr unsigned kStalledAfter = 3;
  static constexpr unsigned kSlowAfter = 2;

  // When something came from the peer last: an acknowledgement of ours, data of its own.
  MonotonicTime last_ack{};
  MonotonicTime last_data{};
  // Something of ours is on its way, or waits to be.
  bool outstanding = false;
  // Something of ours was sent and is not acknowledged. False while the peer has no room: then it
  // is alive.
  bool unacknowledged = false;
  // That was sent kSlowAfter times more, likewise after 0.6 s.
  bool slow = false;
  // That was sent kStalledAfter times more, and nothing of it was acknowledged, whatever else came.
  bool stalled = false;
  Duration round_trip{};  // smoothed; 0 if not known
};

// Of a connected TCP socket; none of anything else, and before Linux 4.6. `now` is MonotonicNow().
std::optional<TcpProgress> TcpProgressOf(int fd, MonotonicTime now);

}  // namespace culvert::net
