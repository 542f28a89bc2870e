#include "broker/ticket_renewals.h"

#include "crypto/random.h"

namespace culvert::broker {
namespace {

// From half of `every` to all of it.
Duration Spread(Duration every) {
  const auto half = static_cast<uint64_t>(every.count() / 2);
  return every - Duration(static_cast<Duration::rep>(crypto::RandomUint64() % (half + 1)));
}

}  // namespace

void TicketRenewals::Add(uint64_t channel_id, MonotonicTime now) {
  Remove(channel_id);
  const MonotonicTime due = now + Spread(every_);
  due_.emplace(due, channel_id);
  by_channel_.emplace(channel_id, due);
}

void TicketRenewals::Remove(uint64_t channel_id) {
  const auto found = by_channel_.find(channel_id);
  if (found == by_channel_.end()) return;
  due_.erase({found->second, channel_id});
  by_channel_.erase(found);
}

std::optional<MonotonicTime> TicketRenewals::next() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

std::vector<uint64_t> TicketRenewals::TakeDue(MonotonicTime now) {
  std::vector<uint64_t> channels;
  while (!due_.empty() && due_.begin()->first <= now && channels.size() < kAtOnce) {
    channels.push_back(due_.begin()->second);
    Add(channels.back(), now);
  }
  return channels;
}

}  // namespace culvert::broker
