#include "net/connected_sockets.h"

#include <dirent.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>

#include "net/unique_fd.h"

namespace culvert::net {
namespace {

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

void ConnectedSockets::ScanNow(const std::vector<Address>& peers, MonotonicTime now) {
  Scan(peers);
  next_scan_ = now + scan_interval_;
  scan_interval_ =
      known_.empty() ? std::min(2 * scan_interval_, Duration(kMaxScanInterval)) : kScanInterval;
}

std::vector<ConnectedSocket> ConnectedSockets::Look(const std::vector<Address>& peers,
                                                    MonotonicTime now) {
  const bool changed = known_.empty() || std::any_of(known_.begin(), known_.end(), [](Known known) {
                         return SocketCookie(known.fd) != known.cookie;
                       });
  if (changed && now >= next_scan_) ScanNow(peers, now);
  std::vector<ConnectedSocket> found;
  for (const Known& known : known_) {
    if (SocketCookie(known.fd) != known.cookie || !LeadsTo(known.fd, peers)) continue;
    const auto progress = TcpProgressOf(known.fd, now);
    const auto local = Address::OfSocket(known.fd);
    if (progress && local.ok()) found.push_back({*progress, *local});
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
