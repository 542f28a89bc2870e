#include "broker/connection_table.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

namespace culvert::broker {
namespace {

std::optional<uint64_t> CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

}  // namespace

absl::Status ConnectionTable::Admit(const std::string& address, int fd) {
  const std::optional<uint64_t> cookie = CookieOf(fd);
  if (!cookie) return absl::UnavailableError("connection is gone");
  std::vector<Entry>& entries = by_address_[address];
  if (entries.size() >= limit_) Sweep(entries);
  if (entries.size() >= limit_) {
    return absl::ResourceExhaustedError(
        fmt::format("too many connections from {} (limit {})", address, limit_));
  }
  entries.push_back({fd, *cookie});
  if (by_address_.size() >= sweep_all_at_) {
    for (auto it = by_address_.begin(); it != by_address_.end();) {
      Sweep(it->second);
      it = it->second.empty() ? by_address_.erase(it) : std::next(it);
    }
    sweep_all_at_ = std::max<size_t>(1024, by_address_.size() * 2);
  }
  return absl::OkStatus();
}

void ConnectionTable::Sweep(std::vector<Entry>& entries) {
  std::erase_if(entries, [](const Entry& entry) { return CookieOf(entry.fd) != entry.cookie; });
}

}  // namespace culvert::broker
