#include "broker/connection_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "net/connected_sockets.h"

namespace culvert::broker {

void ConnectionTable::SetLimits(uint64_t per_address, uint64_t limit) {
  limit_per_address_ = per_address;
  limit_ = limit == 0 ? std::numeric_limits<uint64_t>::max() : limit;
}

absl::Status ConnectionTable::Admit(const std::string& address, int fd, MonotonicTime now) {
  const std::optional<uint64_t> cookie = net::SocketCookie(fd);
  if (!cookie) return absl::UnavailableError("connection is gone");
  if (total_ >= limit_ || by_address_.size() >= sweep_all_at_) SweepAll(now);
  if (total_ >= limit_) {
    return absl::ResourceExhaustedError(fmt::format("too many connections (limit {})", limit_));
  }
  Address& of_address = by_address_[address];
  std::vector<Entry>& entries = of_address.entries;
  if (entries.size() >= limit_per_address_ && IsDue(of_address.last_sweep, now)) Sweep(entries);
  if (entries.size() >= limit_per_address_) {
    return absl::ResourceExhaustedError(
        fmt::format("too many connections from {} (limit {})", address, limit_per_address_));
  }
  entries.push_back({fd, *cookie});
  ++total_;
  return absl::OkStatus();
}

bool ConnectionTable::IsDue(std::optional<MonotonicTime>& last_sweep, MonotonicTime now) {
  if (last_sweep && now - *last_sweep < kSweepInterval) return false;
  last_sweep = now;
  return true;
}

void ConnectionTable::Sweep(std::vector<Entry>& entries) {
  total_ -= std::erase_if(
      entries, [](const Entry& entry) { return net::SocketCookie(entry.fd) != entry.cookie; });
}

void ConnectionTable::SweepAll(MonotonicTime now) {
  if (!IsDue(last_sweep_, now)) return;
  for (auto it = by_address_.begin(); it != by_address_.end();) {
    Sweep(it->second.entries);
    it = it->second.entries.empty() ? by_address_.erase(it) : std::next(it);
  }
  sweep_all_at_ = std::max<size_t>(kFirstSweep, by_address_.size() * 2);
}

}  // namespace culvert::broker
