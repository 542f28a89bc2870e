#include "broker/registry.h"

#include <utility>

namespace culvert::broker {

std::unique_ptr<Session> Registry::Add(std::unique_ptr<Session> session) {
  Session*& place = by_key_[session->provider()];
  std::unique_ptr<Session> replaced;
  if (place != nullptr) {
    auto node = by_id_.extract(place->id());
    replaced = std::move(node.mapped());
  }
  place = session.get();
  away_.erase(session->provider());
  by_id_.emplace(session->id(), std::move(session));
  return replaced;
}

std::unique_ptr<Session> Registry::Remove(uint64_t session_id, MonotonicTime now) {
  const auto found = by_id_.find(session_id);
  if (found == by_id_.end()) return nullptr;
  std::unique_ptr<Session> removed = std::move(found->second);
  by_id_.erase(found);
  const ProviderKey& key = removed->provider();
  by_key_.erase(key);
  away_[key] = now;
  away_order_.emplace_back(key, now);
  while (away_order_.size() > kMaxAway) {
    const auto& [oldest, since] = away_order_.front();
    const auto entry = away_.find(oldest);
    if (entry != away_.end() && entry->second == since) away_.erase(entry);
    away_order_.pop_front();
  }
  return removed;
}

Session* Registry::Find(const ProviderKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

Session* Registry::FindById(uint64_t session_id) const {
  const auto found = by_id_.find(session_id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

std::optional<MonotonicTime> Registry::AwaySince(const ProviderKey& key) const {
  const auto found = away_.find(key);
  if (found == away_.end()) return std::nullopt;
  return found->second;
}

void Registry::EndAll(const absl::Status& why) {
  for (auto& [id, session] : by_id_) session->End(why);
  by_id_.clear();
  by_key_.clear();
}

}  // namespace culvert::broker
