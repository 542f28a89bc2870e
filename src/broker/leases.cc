#include "broker/leases.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/digest.h"
#include "crypto/random.h"

namespace culvert::broker {
namespace {

size_t Room(size_t limit, size_t used) { return limit > used ? limit - used : 0; }

}  // namespace

std::vector<Leases::Lease> Leases::Grant(const DataOwner& owner, uint32_t count, size_t parked,
                                         MonotonicTime now) {
  Expire(now);
  const auto found = per_principal_.find(owner.principal);
  const size_t used = parked + (found == per_principal_.end() ? 0 : found->second);
  const size_t granted = std::min(
      {size_t{count}, Room(limits_.per_principal, used), Room(limits_.most, entries_.size())});
  std::vector<Lease> leases;
  for (size_t i = 0; i < granted; ++i) {
    leases.push_back({crypto::RandomBytes(kTokenBytes), crypto::RandomId()});
    const std::string digest = crypto::Sha256(leases.back().token);
    entries_.push_back({digest, {owner, leases.back().parked_id}, now + limits_.lifetime});
    by_digest_.emplace(digest, std::prev(entries_.end()));
    by_owner_[owner].push_back(std::prev(entries_.end()));
    ++per_principal_[owner.principal];
  }
  return leases;
}

std::optional<Leased> Leases::Redeem(std::string_view token, MonotonicTime now) {
  Expire(now);
  const auto found = by_digest_.find(crypto::Sha256(token));
  if (found == by_digest_.end()) return std::nullopt;
  Leased leased = found->second->leased;
  Erase(found->second);
  return leased;
}

void Leases::Forget(const DataOwner& owner) {
  const auto owned = by_owner_.find(owner);
  if (owned == by_owner_.end()) return;
  const std::vector<Entries::iterator> entries = owned->second;  // Erase changes it
  for (const Entries::iterator entry : entries) Erase(entry);
}

void Leases::Expire(MonotonicTime now) {
  while (!entries_.empty() && entries_.front().until <= now) Erase(entries_.begin());
}

void Leases::Erase(Entries::iterator entry) {
  by_digest_.erase(entry->digest);
  const auto owned = by_owner_.find(entry->leased.owner);
  CULVERT_CHECK(owned != by_owner_.end());
  std::erase(owned->second, entry);
  if (owned->second.empty()) by_owner_.erase(owned);
  const auto count = per_principal_.find(entry->leased.owner.principal);
  CULVERT_CHECK(count != per_principal_.end());
  if (--count->second == 0) per_principal_.erase(count);
  entries_.erase(entry);
}

}  // namespace culvert::broker
