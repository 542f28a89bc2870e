#include "net/connected_sockets.h"

#include <dirent.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>

#include "net/unique_fd.h"

namespace culvert::net {
namespace {

std::optional<TcpProgress> ProgressOf(int fd, uint64_t cookie, MonotonicTime now) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_notsent_bytes) + sizeof(info.tcpi_notsent_bytes)) {
    return std::nullopt;  // Linux before 4.6
  }
  const auto local = Address::OfSocket(fd);
  if (!local.ok()) return std::nullopt;
  TcpProgress progress;
  progress.cookie = cookie;
  progress.local = *local;
  progress.last_ack = now - std::chrono::milliseconds(info.tcpi_last_ack_recv);
  progress.last_data = now - std::chrono::milliseconds(info.tcpi_last_data_recv);
  progress.unacknowledged = info.tcpi_unacked > 0;
  progress.stalled = info.tcpi_unacked > 0 && info.tcpi_retransmits >= TcpProgress::kStalledAfter;
  progress.outstanding = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
  progress.round_trip = std::chrono::microseconds(info.tcpi_rtt);
  return progress;
}

bool LeadsTo(int fd, const std::vector<Address>& peers) {
  const auto peer = Address::OfPeer(fd);
  return peer.ok() && std::find(peers.begin(), peers.end(), *peer) != peers.end();
}

}  // namespace

// A descriptor may be closed, and be another one, while it is looked at here: nothing is changed on
// it, and the cookie tells at the next look.
void ConnectedSockets::Scan(const std::vector<Address>& peers) {
  known_.clear();
  std::vector<uint64_t> still_ignored;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory.get())) {
    char* end = nullptr;
    const long number = std::strtol(entry->d_name, &end, 10);
    if (*end != '\0') continue;  // "." and ".."
    const int fd = static_cast<int>(number);
    if (!LeadsTo(fd, peers)) continue;
    const std::optional<uint64_t> cookie = SocketCookie(fd);
    if (!cookie) continue;
    if (std::find(ignored_.begin(), ignored_.end(), *cookie) == ignored_.end()) {
      known_.push_back({fd, *cookie});
    } else {
      still_ignored.push_back(*cookie);
    }
  }
  ignored_ = std::move(still_ignored);
}

std::optional<uint64_t> SocketCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

void ConnectedSockets::ScanNow(const std::vector<Address>& peers, MonotonicTime now) {
  Scan(peers);
  next_scan_ = now + scan_interval_;
  scan_interval_ =
      known_.empty() ? std::min(2 * scan_interval_, Duration(kMaxScanInterval)) : kScanInterval;
}

std::vector<TcpProgress> ConnectedSockets::Look(const std::vector<Address>& peers,
                                                MonotonicTime now) {
  const bool changed = known_.empty() || std::any_of(known_.begin(), known_.end(), [](Known known) {
                         return SocketCookie(known.fd) != known.cookie;
                       });
  if (changed && now >= next_scan_) ScanNow(peers, now);
  std::vector<TcpProgress> found;
  for (const Known& known : known_) {
    if (SocketCookie(known.fd) != known.cookie || !LeadsTo(known.fd, peers)) continue;
    if (auto progress = ProgressOf(known.fd, known.cookie, now)) found.push_back(*progress);
  }
  return found;
}

void ConnectedSockets::IgnorePresent(const std::vector<Address>& peers, MonotonicTime now) {
  Scan(peers);
  scan_interval_ = kScanInterval;
  next_scan_ = now + scan_interval_;
  for (const Known& known : known_) ignored_.push_back(known.cookie);
  known_.clear();
}

bool IsLocalAddress(const Address& address) {
  const UniqueFd fd(socket(address.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return true;
  Address any_port = address;
  any_port.set_port(0);
  return bind(fd.get(), any_port.get(), any_port.size()) == 0 || errno != EADDRNOTAVAIL;
}

}  // namespace culvert::net
