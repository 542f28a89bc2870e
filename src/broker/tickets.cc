#include "broker/tickets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "culvert/error_code.h"

namespace culvert::broker {
namespace {

constexpr char kVersion = 1;
constexpr size_t kIdBytes = 8;
constexpr size_t kHeadBytes = 1 + kIdBytes;
constexpr size_t kLeastBytes = kHeadBytes + crypto::kAeadNonceBytes + crypto::kAeadTagBytes;
// So many seals are noted in the store before they are made: a write costs milliseconds.
constexpr int64_t kReserve = 65536;
constexpr char kKnownKey[] = "culvert --insecure: known to all";
static_assert(sizeof(kKnownKey) - 1 == crypto::kAeadKeyBytes);

std::string HeadOf(int64_t key_id) {
  std::string head(1, kVersion);
  const auto id = static_cast<uint64_t>(key_id);
  for (size_t i = 0; i < kIdBytes; ++i) head += static_cast<char>(id >> (8 * i) & 0xff);
  return head;
}

int64_t IdIn(std::string_view head) {
  uint64_t id = 0;
  for (size_t i = kIdBytes; i > 0; --i) id = id << 8 | static_cast<unsigned char>(head[i]);
  return static_cast<int64_t>(id);
}

void CopyKey(const store::TicketKey& from, crypto::AeadKey& to) {
  std::copy_n(from.key.begin(), to.size(), to.data());
}

absl::Status Refused(ErrorCode code, const std::string& message) {
  absl::Status status = ErrorStatus(code, message);
  if (absl::IsPermissionDenied(status)) return status;
  // The code says more than the status that it travels with elsewhere.
  absl::Status denied = absl::PermissionDeniedError(status.message());
  status.ForEachPayload([&denied](absl::string_view url, const absl::Cord& payload) {
    denied.SetPayload(url, payload);
  });
  return denied;
}

absl::Status NotOurs() { return Refused(ErrorCode::kDenied, "not a ticket of this broker"); }

}  // namespace

Tickets::Tickets(store::TicketKeyTable* keys, store::KilledChannelTable* killed)
    : keys_(keys), killed_(killed) {
  if (keys_ == nullptr) {
    current_.key = kKnownKey;
  } else if (!keys_->keys().empty()) {
    current_ = keys_->keys().back();
    reserved_ = current_.seals;
  }
}

std::string Tickets::Seal(culvert::v1::ChannelTicket ticket, WallTime now) {
  return SealTicket(Kind::kChannel, ticket, now);
}

std::string Tickets::Seal(culvert::v1::SessionTicket ticket, WallTime now) {
  return SealTicket(Kind::kSession, ticket, now);
}

absl::StatusOr<culvert::v1::ChannelTicket> Tickets::OpenChannel(std::string_view sealed,
                                                                WallTime now) {
  return OpenTicket<culvert::v1::ChannelTicket>(Kind::kChannel, sealed, now);
}

absl::StatusOr<culvert::v1::SessionTicket> Tickets::OpenSession(std::string_view sealed,
                                                                WallTime now) {
  return OpenTicket<culvert::v1::SessionTicket>(Kind::kSession, sealed, now);
}

template <class Ticket>
std::string Tickets::SealTicket(Kind kind, Ticket& ticket, WallTime now) {
  ticket.set_issued_at(ToUnixSeconds(now));
  ticket.set_expires_at(ToUnixSeconds(now + kLifetime));
  const store::TicketKey& key = KeyToSeal(now);
  crypto::AeadKey secret;
  CopyKey(key, secret);
  crypto::AeadNonce nonce;
  crypto::FillRandom(nonce.data(), nonce.size());
  std::string sealed = HeadOf(key.id);
  const std::string authenticated = sealed + static_cast<char>(kind);
  sealed.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
  return sealed + crypto::AeadSeal(secret, nonce, authenticated, ticket.SerializeAsString());
}

template <class Ticket>
absl::StatusOr<Ticket> Tickets::OpenTicket(Kind kind, std::string_view sealed, WallTime now) {
  if (sealed.size() < kLeastBytes || sealed.size() > kMostBytes || sealed[0] != kVersion) {
    return NotOurs();
  }
  const std::string_view head = sealed.substr(0, kHeadBytes);
  const store::TicketKey* const key = FindKey(IdIn(head));
  if (key == nullptr) return NotOurs();
  crypto::AeadKey secret;
  CopyKey(*key, secret);
  crypto::AeadNonce nonce;
  std::copy_n(sealed.begin() + kHeadBytes, nonce.size(), nonce.begin());
  const std::optional<std::string> opened =
      crypto::AeadOpen(secret, nonce, std::string(head) + static_cast<char>(kind),
                       sealed.substr(kHeadBytes + nonce.size()));
  Ticket ticket;
  if (!opened || !ticket.ParseFromString(*opened)) return NotOurs();
  if (ToUnixSeconds(now - kLeeway) > ticket.expires_at()) {
    return Refused(ErrorCode::kExpired, "the ticket has expired");
  }
  return ticket;
}

const store::TicketKey* Tickets::FindKey(int64_t id) const {
  if (id == current_.id && !current_.key.empty()) return &current_;
  if (keys_ == nullptr) return nullptr;
  for (const store::TicketKey& key : keys_->keys()) {
    if (key.id == id && key.key.size() == crypto::kAeadKeyBytes) return &key;
  }
  return nullptr;
}

const store::TicketKey& Tickets::KeyToSeal(WallTime now) {
  if (keys_ == nullptr) return current_;
  if (!MaySeal(current_, now)) MakeKey(now);
  if (current_.seals >= reserved_) Reserve();
  ++current_.seals;
  return current_;
}

bool Tickets::MaySeal(const store::TicketKey& key, WallTime now) const {
  // A key of tomorrow was made by a clock that was wrong, and would be the one for too long.
  return key.key.size() == crypto::kAeadKeyBytes && key.seals < kMostSeals &&
         now < key.created + kKeyTime && now + kKeyTime > key.created;
}

void Tickets::MakeKey(WallTime now) {
  current_ = {static_cast<int64_t>(crypto::RandomId()), crypto::RandomBytes(crypto::kAeadKeyBytes),
              now, 0};
  reserved_ = kReserve;
  store::TicketKey stored = current_;
  stored.seals = reserved_;
  if (absl::Status added = keys_->Add(stored, now); !added.ok()) {
    CULVERT_LOG(kError, "tickets of today will not outlive this process: {}", MessageOf(added));
  }
}

void Tickets::Reserve() {
  reserved_ = current_.seals + kReserve;
  if (absl::Status set = keys_->SetSeals(current_.id, reserved_); !set.ok()) {
    CULVERT_LOG(kError, "the seals of a ticket key were not counted: {}", MessageOf(set));
  }
}

bool Tickets::IsKilled(uint64_t channel_id) const {
  return killed_ != nullptr ? killed_->Has(channel_id) : killed_here_.count(channel_id) > 0;
}

absl::Status Tickets::Kill(uint64_t channel_id, WallTime now) {
  if (killed_ != nullptr) return killed_->Add(channel_id, now);
  killed_here_.insert(channel_id);
  return absl::OkStatus();
}

}  // namespace culvert::broker
