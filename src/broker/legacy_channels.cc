#include "broker/legacy_channels.h"

#include <algorithm>
#include <utility>

namespace culvert::broker {

void LegacyChannels::Keep(OpenChannel open, Resumption last, MonotonicTime now) {
  // Its last resume may have been lost with an attempt that the provider has answered already.
  if (const auto known = by_id_.find(last.channel_id); known != by_id_.end()) {
    last.attempt = std::max(last.attempt, known->second->last.attempt);
  }
  Forget(last.channel_id);
  const std::string consumer = ConsumerOf(open);
  if (const auto found = per_consumer_.find(consumer);
      found != per_consumer_.end() && found->second >= kMostPerConsumer) {
    ForgetOldestOf(consumer);
  }
  if (channels_.size() >= kMost) Forget(channels_.front().last.channel_id);
  ++per_consumer_[consumer];
  const uint64_t id = last.channel_id;
  by_id_.emplace(id, channels_.insert(channels_.end(), {std::move(open), std::move(last), now}));
}

LegacyChannels::Channel* LegacyChannels::Find(uint64_t channel_id, MonotonicTime now) {
  while (!channels_.empty() && now - channels_.front().lost > kLegacyResumeTime) {
    Forget(channels_.front().last.channel_id);
  }
  const auto found = by_id_.find(channel_id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

void LegacyChannels::Forget(uint64_t channel_id) {
  const auto found = by_id_.find(channel_id);
  if (found == by_id_.end()) return;
  const auto count = per_consumer_.find(ConsumerOf(found->second->open));
  if (--count->second == 0) per_consumer_.erase(count);
  channels_.erase(found->second);
  by_id_.erase(found);
}

void LegacyChannels::ForgetOldestOf(const std::string& consumer) {
  const auto oldest = std::find_if(channels_.begin(), channels_.end(), [&](const Channel& channel) {
    return ConsumerOf(channel.open) == consumer;
  });
  if (oldest != channels_.end()) Forget(oldest->last.channel_id);
}

namespace {

// Whatever token stands for one today.
bool IsSamePrincipal(const std::optional<Principal>& a, const std::optional<Principal>& b) {
  if (!a || !b) return !a && !b;
  return a->id == b->id && a->key == b->key;
}

}  // namespace

bool IsSameChannel(const OpenChannel& open, uint64_t session_id, const ResumeChannel& resume,
                   const std::optional<Principal>& who) {
  return IsSamePrincipal(open.principal, who) && open.consumer == resume.consumer &&
         open.provider == resume.provider && session_id == resume.session_id;
}

std::string ConsumerOf(const OpenChannel& open) {
  if (!open.principal) return open.provider.project + " " + open.consumer;
  return open.principal->id.ToString() + " " + open.principal->key;
}

}  // namespace culvert::broker
