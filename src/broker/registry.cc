#include "broker/registry.h"

#include <utility>

namespace culvert::broker {

std::unique_ptr<Session> Registry::Add(std::unique_ptr<Session> session) {
  Session*& place = by_key_[session->provider()];
  std::unique_ptr<Session> replaced;
  if (place != nullptr) {
    auto node = by_id_.extract(place->id());
    replaced = std::move(node.mapped());
  } else {
    ++of_project_[session->provider().project];
  }
  place = session.get();
  ForgetAway(session->provider());
  by_id_.emplace(session->id(), std::move(session));
  return replaced;
}

std::unique_ptr<Session> Registry::Remove(uint64_t session_id, MonotonicTime now) {
  const auto found = by_id_.find(session_id);
  if (found == by_id_.end()) return nullptr;
  std::unique_ptr<Session> removed = std::move(found->second);
  by_id_.erase(found);
  by_key_.erase(removed->provider());
  const auto count = of_project_.find(removed->provider().project);
  if (--count->second == 0) of_project_.erase(count);
  RememberAway(*removed, now);
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
  return found->second.last.away_since;
}

std::optional<Registry::Known> Registry::FindKnown(const ProviderKey& key) const {
  if (const Session* session = Find(key)) {
    return Known{session->id(), session->capable(), session->principal(), std::nullopt};
  }
  const auto found = away_.find(key);
  if (found == away_.end()) return std::nullopt;
  return found->second.last;
}

void Registry::ForgetAway(const ProviderKey& key) {
  const auto found = away_.find(key);
  if (found == away_.end()) return;
  away_order_.erase(found->second.place);
  away_.erase(found);
}

void Registry::RememberAway(const Session& session, MonotonicTime since) {
  const ProviderKey& key = session.provider();
  ForgetAway(key);
  away_.emplace(key, Away{{session.id(), session.capable(), session.principal(), since},
                          away_order_.insert(away_order_.end(), key)});
  if (away_.size() > kMaxAway) ForgetAway(ProviderKey(away_order_.front()));
}

void Registry::EndAll(const absl::Status& why) {
  for (auto& [id, session] : by_id_) session->End(why);
  by_id_.clear();
  by_key_.clear();
  of_project_.clear();
}

uint64_t Registry::CountOf(const std::string& project) const {
  const auto found = of_project_.find(project);
  return found == of_project_.end() ? 0 : found->second;
}

}  // namespace culvert::broker
