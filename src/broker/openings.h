// Where the relays are found: by the provider that they wait for, by the session that they were
// offered to or accepted by, by the process that has a stitched path, by the id of their channel.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/leases.h"
#include "broker/provider_key.h"
#include "broker/relay.h"

namespace culvert::broker {

// Owns no relay; Forget before one goes. Confined to the control loop.
class Openings {
 public:
  // A random id that no channel has.
  uint64_t DrawChannelId() const;

  // A resume is found by its channel too.
  void AddWaiting(Relay& relay);
  // To be called before the relay knows of it (Relay::OfferedTo).
  void AddOffered(Relay& relay, uint64_t session_id, uint64_t channel_id);
  // The relay was accepted.
  void SetOpen(Relay& relay);
  // And has a stitched path.
  void AddStitched(Relay& relay);
  void Forget(Relay& relay);
  // Whether the relay's provider has an offer that it has not answered.
  bool IsOffered(Relay& relay) const;

  std::vector<Relay*> WaitingFor(const ProviderKey& provider) const;
  std::vector<Relay*> OfferedTo(uint64_t session_id) const;
  std::vector<Relay*> AcceptedBy(uint64_t session_id) const;
  // Those that are on stitched paths of the consumer process.
  std::vector<Relay*> StitchedBy(const DataOwner& consumer) const;
  // Offered or open, or a resume; null if there is none.
  Relay* FindChannel(uint64_t channel_id) const;

 private:
  std::map<ProviderKey, std::unordered_set<Relay*>> waiting_;
  std::unordered_map<uint64_t, std::unordered_set<Relay*>> offered_;
  std::unordered_map<uint64_t, std::unordered_set<Relay*>> accepted_;
  std::map<DataOwner, std::unordered_set<Relay*>> stitched_;
  std::unordered_map<uint64_t, Relay*> by_channel_;
};

}  // namespace culvert::broker
