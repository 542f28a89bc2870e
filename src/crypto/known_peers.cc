#include "crypto/known_peers.h"

namespace culvert::crypto {

void KnownPeers::Add(const Certificate& peer) {
  const MutexLock lock(mutex_);
  if (peers_.size() >= kMost) peers_.clear();
  peers_.emplace(peer.der(), peer);
}

std::optional<Certificate> KnownPeers::Find(std::string_view der) const {
  const MutexLock lock(mutex_);
  const auto found = peers_.find(std::string(der));
  if (found == peers_.end()) return std::nullopt;
  return found->second;
}

}  // namespace culvert::crypto
