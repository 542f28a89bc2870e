// Seals resume tickets and opens them again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "culvert/v1/ticket.pb.h"
#include "store/killed_channel_table.h"
#include "store/ticket_key_table.h"

namespace culvert::broker {

// A ticket is the broker's own memory, kept by its clients: sealed (AES-256-GCM), so that they can
// neither read nor change it. Keys are in the store, so that a broker that was restarted opens what
// it sealed before; each seals for a day. Confined to one thread.
//
// Sealed: version (1 byte), key id (8, little endian), nonce (12), ciphertext, tag (16). Kind,
// version and key id are authenticated.
class Tickets {
 public:
  static constexpr std::chrono::hours kLifetime = std::chrono::hours(24 * 7);
  static constexpr std::chrono::hours kKeyTime = std::chrono::hours(24);
  // Clocks of machines that share keys differ.
  static constexpr std::chrono::minutes kLeeway = std::chrono::minutes(5);
  // Longer ones are refused unread. The longest there are have a target of 4 KiB.
  static constexpr size_t kMostBytes = 8192;
  // Nonces are drawn at random: far below where two might be the same.
  static constexpr int64_t kMostSeals = int64_t{1} << 30;

  // Both outlive it. Without them (--insecure) tickets are sealed with a key that everybody knows:
  // names stand for identities there anyway, and a restarted broker is to resume there too.
  explicit Tickets(store::TicketKeyTable* keys = nullptr,
                   store::KilledChannelTable* killed = nullptr);

  // Sets `issued_at` to `now` and `expires_at` to kLifetime later.
  std::string Seal(culvert::v1::ChannelTicket ticket, WallTime now);
  std::string Seal(culvert::v1::SessionTicket ticket, WallTime now);

  // PERMISSION_DENIED for what is expired (ErrorCode::kExpired), or is no ticket of this kind that
  // was sealed here (kDenied).
  absl::StatusOr<culvert::v1::ChannelTicket> OpenChannel(std::string_view sealed, WallTime now);
  absl::StatusOr<culvert::v1::SessionTicket> OpenSession(std::string_view sealed, WallTime now);

  // Whether the channel was killed less than kLifetime ago.
  bool IsKilled(uint64_t channel_id) const;
  // Refuses its tickets from now on. An error says that a restart forgets it.
  absl::Status Kill(uint64_t channel_id, WallTime now);

 private:
  // Part of what is authenticated, never changed.
  enum class Kind : char { kChannel = 'c', kSession = 's' };

  template <class Ticket>
  std::string SealTicket(Kind kind, Ticket& ticket, WallTime now);
  template <class Ticket>
  absl::StatusOr<Ticket> OpenTicket(Kind kind, std::string_view sealed, WallTime now);
  // The key to seal with, once.
  const store::TicketKey& KeyToSeal(WallTime now);
  bool MaySeal(const store::TicketKey& key, WallTime now) const;
  const store::TicketKey* FindKey(int64_t id) const;
  // Makes another key the one to seal with. If it cannot be stored it is used all the same.
  void MakeKey(WallTime now);
  void Reserve();

  store::TicketKeyTable* const keys_;
  store::KilledChannelTable* const killed_;
  store::TicketKey current_;  // the one to seal with; id 0: none yet, or the known one
  int64_t reserved_ = 0;      // up to this many seals of it are in the store
  std::unordered_set<uint64_t> killed_here_;  // without a store
};

}  // namespace culvert::broker
