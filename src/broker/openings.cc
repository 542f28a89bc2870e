#include "broker/openings.h"

#include "crypto/random.h"

namespace culvert::broker {
namespace {

template <typename Index, typename Key>
void EraseFrom(Index& index, const Key& key, Relay& relay) {
  const auto found = index.find(key);
  if (found == index.end()) return;
  found->second.erase(&relay);
  if (found->second.empty()) index.erase(found);
}

template <typename Index, typename Key>
std::vector<Relay*> ListOf(const Index& index, const Key& key) {
  const auto found = index.find(key);
  if (found == index.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace

uint64_t Openings::DrawChannelId() const {
  uint64_t id = crypto::RandomId();
  while (by_channel_.contains(id)) id = crypto::RandomId();
  return id;
}

void Openings::AddWaiting(Relay& relay) {
  Forget(relay);
  waiting_[relay.open().provider].insert(&relay);
  if (relay.resume()) by_channel_.emplace(relay.id(), &relay);
}

void Openings::AddOffered(Relay& relay, uint64_t session_id, uint64_t channel_id) {
  Forget(relay);
  offered_[session_id].insert(&relay);
  by_channel_.emplace(channel_id, &relay);
}

void Openings::SetOpen(Relay& relay) {
  EraseFrom(offered_, relay.session_id(), relay);
  accepted_[relay.session_id()].insert(&relay);
}

void Openings::AddStitched(Relay& relay) { stitched_[relay.consumer_process()].insert(&relay); }

void Openings::Forget(Relay& relay) {
  EraseFrom(waiting_, relay.open().provider, relay);
  EraseFrom(offered_, relay.session_id(), relay);
  EraseFrom(accepted_, relay.session_id(), relay);
  if (relay.is_stitched()) EraseFrom(stitched_, relay.consumer_process(), relay);
  if (FindChannel(relay.id()) == &relay) by_channel_.erase(relay.id());
}

bool Openings::IsOffered(Relay& relay) const {
  const auto found = offered_.find(relay.session_id());
  return found != offered_.end() && found->second.contains(&relay);
}

std::vector<Relay*> Openings::WaitingFor(const ProviderKey& provider) const {
  return ListOf(waiting_, provider);
}

std::vector<Relay*> Openings::OfferedTo(uint64_t session_id) const {
  return ListOf(offered_, session_id);
}

std::vector<Relay*> Openings::AcceptedBy(uint64_t session_id) const {
  return ListOf(accepted_, session_id);
}

std::vector<Relay*> Openings::StitchedBy(const DataOwner& consumer) const {
  return ListOf(stitched_, consumer);
}

Relay* Openings::FindChannel(uint64_t channel_id) const {
  const auto found = by_channel_.find(channel_id);
  return found == by_channel_.end() ? nullptr : found->second;
}

}  // namespace culvert::broker
