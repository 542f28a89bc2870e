#include "broker/earlier_paths.h"

namespace culvert::broker {

void EarlierPaths::Keep(uint64_t channel_id, const CarriedBytes& carried, Duration time,
                        MonotonicTime now) {
  Forget(channel_id);
  Expire(now);
  if (channels_.size() == kMost) Forget(until_.begin()->second);
  channels_.emplace(channel_id, Channel{carried, now + time});
  until_.emplace(now + time, channel_id);
}

std::optional<CarriedBytes> EarlierPaths::Take(uint64_t channel_id, MonotonicTime now) {
  Expire(now);
  const auto found = channels_.find(channel_id);
  if (found == channels_.end()) return std::nullopt;
  const CarriedBytes carried = found->second.carried;
  Forget(channel_id);
  return carried;
}

void EarlierPaths::Forget(uint64_t channel_id) {
  const auto found = channels_.find(channel_id);
  if (found == channels_.end()) return;
  until_.erase({found->second.until, channel_id});
  channels_.erase(found);
}

void EarlierPaths::Expire(MonotonicTime now) {
  while (!until_.empty() && until_.begin()->first < now) Forget(until_.begin()->second);
}

}  // namespace culvert::broker
