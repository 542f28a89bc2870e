#include "tunnel/tombstones.h"

namespace culvert::tunnel {

void Tombstones::Add(uint64_t channel_id, const Tombstone& tombstone, MonotonicTime now) {
  Expire(now);
  // The first end of a channel is its end; ids are never used twice.
  if (!by_id_.emplace(channel_id, tombstone).second) return;
  order_.push_back({channel_id, now + kLife});
  if (order_.size() > kMost) {
    by_id_.erase(order_.front().channel_id);
    order_.pop_front();
  }
}

std::optional<Tombstones::Tombstone> Tombstones::Find(uint64_t channel_id, MonotonicTime now) {
  Expire(now);
  const auto found = by_id_.find(channel_id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

void Tombstones::Expire(MonotonicTime now) {
  while (!order_.empty() && order_.front().until <= now) {
    by_id_.erase(order_.front().channel_id);
    order_.pop_front();
  }
}

}  // namespace culvert::tunnel
