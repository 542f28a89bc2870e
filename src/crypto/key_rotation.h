// "This is my new key", signed by the old one: how trust in a key goes over to the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "crypto/key.h"
#include "crypto/spiffe_id.h"

namespace culvert::crypto {

// A statement as it was sent: what it says counts only once CheckKeyRotation says so.
struct KeyRotation {
  std::string old_key;    // SubjectPublicKeyInfo, DER
  std::string new_key;    // the same
  std::string spiffe_id;  // whose keys they are
  int64_t time = 0;       // seconds since 1970
  std::string signature;  // by the old key, over KeyRotationText
};

// The longest chain that is followed, and most statements that are kept or read of one principal.
inline constexpr size_t kMostKeyRotations = 16;

KeyRotation SignKeyRotation(const PrivateKey& old_key, const PublicKey& new_key, const SpiffeId& id,
                            WallTime now);

// What is signed: five lines that no SPIFFE id, key id or number can be mistaken in
// (docs/security.md, "A new key").
std::string KeyRotationText(std::string_view spiffe_id, std::string_view old_key_id,
                            std::string_view new_key_id, int64_t time);

struct KeySuccession {
  PublicKey old_key;
  PublicKey new_key;
};
// The keys of a statement about `id` that the old one has signed. INVALID_ARGUMENT with the reason
// for any other. The time is not looked at. A peer's bytes; takes milliseconds.
absl::StatusOr<KeySuccession> CheckKeyRotation(const KeyRotation& rotation, const SpiffeId& id);

// Whether these statements lead from one key of `id` to another, by their ids, in at most
// kMostKeyRotations steps. FAILED_PRECONDITION otherwise. Of more statements than that none counts.
absl::Status CheckKeyChain(const std::vector<KeyRotation>& rotations, const SpiffeId& id,
                           const std::string& from, const std::string& to);

}  // namespace culvert::crypto
