#include "sdk/waiting_channels.h"

#include <algorithm>

namespace culvert {

void WaitingChannels::Add(uint64_t channel_id, const std::string& consumer_key) {
  if (by_id_.count(channel_id) > 0) return;
  by_id_[channel_id] = order_.insert(order_.end(), {channel_id, consumer_key});
  ++counts_[consumer_key];
}

void WaitingChannels::Remove(uint64_t channel_id) {
  const auto found = by_id_.find(channel_id);
  if (found == by_id_.end()) return;
  const std::string& key = found->second->consumer_key;
  if (--counts_[key] == 0) counts_.erase(key);
  order_.erase(found->second);
  by_id_.erase(found);
}

size_t WaitingChannels::CountOf(const std::string& consumer_key) const {
  const auto found = counts_.find(consumer_key);
  return found == counts_.end() ? 0 : found->second;
}

std::optional<uint64_t> WaitingChannels::OldestOf(const std::string& consumer_key) const {
  const auto found = std::find_if(order_.begin(), order_.end(), [&](const Entry& entry) {
    return entry.consumer_key == consumer_key;
  });
  if (found == order_.end()) return std::nullopt;
  return found->channel_id;
}

std::vector<uint64_t> WaitingChannels::Ids() const {
  std::vector<uint64_t> ids;
  ids.reserve(order_.size());
  for (const Entry& entry : order_) ids.push_back(entry.channel_id);
  return ids;
}

}  // namespace culvert
