// Which providers are here, and which were here a moment ago.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "broker/provider_key.h"
#include "broker/session.h"

namespace culvert::broker {

// Confined to the control loop.
class Registry {
 public:
  // How many providers that are away are remembered, the oldest forgotten first.
  static constexpr size_t kMaxAway = 16'384;

  // Owns `session`; returns the one that it replaces under the same key, if any.
  std::unique_ptr<Session> Add(std::unique_ptr<Session> session);
  // Gives the session up: its provider is away from `now` on. Null if another one has taken its
  // place.
  std::unique_ptr<Session> Remove(uint64_t session_id, MonotonicTime now);

  Session* Find(const ProviderKey& key) const;
  Session* FindById(uint64_t session_id) const;

  // The session of a provider that is here, or the last one of a provider that is remembered.
  struct Known {
    uint64_t session_id = 0;
    bool capable = false;
    std::optional<Principal> principal;
    std::optional<MonotonicTime> away_since;  // none: it is here
  };
  std::optional<Known> FindKnown(const ProviderKey& key) const;
  // Since when a known provider is away.
  std::optional<MonotonicTime> AwaySince(const ProviderKey& key) const;

  size_t size() const { return by_id_.size(); }
  // Those of a project, by its whole name.
  uint64_t CountOf(const std::string& project) const;
  // `visit` must not change the registry.
  void ForEach(absl::FunctionRef<void(Session&)> visit) const {
    for (const auto& [key, session] : by_key_) visit(*session);
  }
  void EndAll(const absl::Status& why);

 private:
  std::unordered_map<uint64_t, std::unique_ptr<Session>> by_id_;
  std::map<ProviderKey, Session*> by_key_;
  std::unordered_map<std::string, uint64_t> of_project_;
  struct Away {
    Known last;
    std::list<ProviderKey>::iterator place;  // in away_order_
  };
  void ForgetAway(const ProviderKey& key);
  void RememberAway(const Session& session, MonotonicTime since);

  std::map<ProviderKey, Away> away_;
  std::list<ProviderKey> away_order_;  // the one that is away longest first
};

}  // namespace culvert::broker
