#include "broker/parked_sockets.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/watch_host.h"

namespace culvert::broker {
namespace {

bool IsAlive(int fd) {
  pollfd state{fd, POLLRDHUP, 0};
  return poll(&state, 1, 0) == 0;
}

}  // namespace

ParkedSockets::ParkedSockets(net::EventLoop& loop, const Limits& limits)
    : loop_(loop), limits_(limits), expiry_(loop) {}

ParkedSockets::Result ParkedSockets::Park(const Leased& as, net::UniqueFd socket) {
  loop_.AssertOnThread();
  if (CountOf(as.owner.principal) >= limits_.per_principal || entries_.size() >= limits_.most) {
    return Result::kTooMany;
  }
  if (by_id_.count(as.parked_id) > 0 || !IsAlive(socket.get())) return Result::kGone;
  WatchHost(socket.get());
  const auto entry = entries_.emplace(entries_.end());
  entry->as = as;
  entry->socket = std::move(socket);
  entry->until = loop_.Now() + limits_.lifetime;
  by_id_.emplace(as.parked_id, entry);
  by_owner_[as.owner].push_back(as.parked_id);
  ++per_principal_[as.owner.principal];
  ExpireLater();
  // Whatever it tells of is the end of it; bytes it does not tell of.
  entry->poll.emplace(loop_, [this, entry](unsigned) { Erase(entry); });
  if (!entry->poll->Open(entry->socket.get()).ok()) {
    Erase(entry);
    return Result::kGone;
  }
  entry->poll->Watch(net::FdPoll::kPeerFinished);
  return Result::kParked;
}

std::optional<ParkedSockets::Parked> ParkedSockets::Take(const DataOwner& owner,
                                                         uint64_t parked_id) {
  loop_.AssertOnThread();
  const auto found = by_id_.find(parked_id);
  if (found == by_id_.end() || found->second->as.owner != owner) return std::nullopt;
  return Release(found->second);
}

bool ParkedSockets::Holds(const DataOwner& owner, uint64_t parked_id) const {
  const auto found = by_id_.find(parked_id);
  return found != by_id_.end() && found->second->as.owner == owner;
}

std::optional<ParkedSockets::Parked> ParkedSockets::TakeNewest(const DataOwner& owner) {
  loop_.AssertOnThread();
  while (true) {
    const auto found = by_owner_.find(owner);
    if (found == by_owner_.end()) return std::nullopt;
    if (auto taken = Release(by_id_.at(found->second.back()))) return taken;
  }
}

void ParkedSockets::Drop(const DataOwner& owner) {
  loop_.AssertOnThread();
  const auto found = by_owner_.find(owner);
  if (found == by_owner_.end()) return;
  for (const uint64_t id : std::vector<uint64_t>(found->second)) Erase(by_id_.at(id));
}

size_t ParkedSockets::CountOf(const std::string& principal) const {
  const auto found = per_principal_.find(principal);
  return found == per_principal_.end() ? 0 : found->second;
}

std::optional<ParkedSockets::Parked> ParkedSockets::Release(Entries::iterator entry) {
  entry->poll.reset();
  // Its end may have come in this turn.
  std::optional<Parked> taken;
  if (IsAlive(entry->socket.get())) taken = Parked{entry->as.parked_id, std::move(entry->socket)};
  Erase(entry);
  return taken;
}

void ParkedSockets::Erase(Entries::iterator entry) {
  loop_.AssertOnThread();
  by_id_.erase(entry->as.parked_id);
  const auto owned = by_owner_.find(entry->as.owner);
  CULVERT_CHECK(owned != by_owner_.end());
  std::erase(owned->second, entry->as.parked_id);
  if (owned->second.empty()) by_owner_.erase(owned);
  const auto count = per_principal_.find(entry->as.owner.principal);
  CULVERT_CHECK(count != per_principal_.end());
  if (--count->second == 0) per_principal_.erase(count);
  entries_.erase(entry);
}

void ParkedSockets::ExpireLater() {
  loop_.AssertOnThread();
  if (entries_.empty() || expiry_.is_set()) return;
  expiry_.Start(entries_.front().until - loop_.Now(), [this] { Expire(); });
}

void ParkedSockets::Expire() {
  loop_.AssertOnThread();
  while (!entries_.empty() && entries_.front().until <= loop_.Now()) Erase(entries_.begin());
  ExpireLater();
}

}  // namespace culvert::broker
