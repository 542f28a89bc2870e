#include "net/tcp_progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace culvert::net {

std::optional<uint64_t> SocketCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

std::optional<TcpProgress> TcpProgressOf(int fd, MonotonicTime now) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_notsent_bytes) + sizeof(info.tcpi_notsent_bytes)) {
    return std::nullopt;  // Linux before 4.6
  }
  TcpProgress progress;
  progress.last_ack = now - std::chrono::milliseconds(info.tcpi_last_ack_recv);
  progress.last_data = now - std::chrono::milliseconds(info.tcpi_last_data_recv);
  progress.unacknowledged = info.tcpi_unacked > 0;
  progress.slow = info.tcpi_unacked > 0 && info.tcpi_retransmits >= TcpProgress::kSlowAfter;
  progress.stalled = info.tcpi_unacked > 0 && info.tcpi_retransmits >= TcpProgress::kStalledAfter;
  progress.outstanding = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
  progress.round_trip = std::chrono::microseconds(info.tcpi_rtt);
  return progress;
}

}  // namespace culvert::net
