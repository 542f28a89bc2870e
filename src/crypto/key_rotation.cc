#include "crypto/key_rotation.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/status.h"

namespace culvert::crypto {
namespace {

constexpr size_t kMostDerBytes = 512;

absl::Status CheckSizes(const KeyRotation& rotation) {
  for (const std::string* part : {&rotation.old_key, &rotation.new_key, &rotation.signature}) {
    if (part->size() > kMostDerBytes) return absl::InvalidArgumentError("key rotation: too large");
  }
  return absl::OkStatus();
}

}  // namespace

std::string KeyRotationText(std::string_view spiffe_id, std::string_view old_key_id,
                            std::string_view new_key_id, int64_t time) {
  return fmt::format("culvert key rotation v1\n{}\n{}\n{}\n{}\n", spiffe_id, old_key_id, new_key_id,
                     time);
}

KeyRotation SignKeyRotation(const PrivateKey& old_key, const PublicKey& new_key, const SpiffeId& id,
                            WallTime now) {
  KeyRotation rotation{old_key.public_key().der(), new_key.der(), id.ToString(),
                       ToUnixMillis(now) / 1000, ""};
  rotation.signature = old_key.Sign(
      KeyRotationText(rotation.spiffe_id, old_key.public_key().id(), new_key.id(), rotation.time));
  return rotation;
}

absl::StatusOr<KeySuccession> CheckKeyRotation(const KeyRotation& rotation, const SpiffeId& id) {
  CULVERT_RETURN_IF_ERROR(CheckSizes(rotation));
  if (rotation.spiffe_id != id.ToString()) {
    return absl::InvalidArgumentError("key rotation: it is about somebody else");
  }
  absl::StatusOr<PublicKey> old_key = PublicKey::FromDer(rotation.old_key);
  if (!old_key.ok()) return Annotate(old_key.status(), "key rotation: old key");
  absl::StatusOr<PublicKey> new_key = PublicKey::FromDer(rotation.new_key);
  if (!new_key.ok()) return Annotate(new_key.status(), "key rotation: new key");
  if (*old_key == *new_key) {
    return absl::InvalidArgumentError("key rotation: from a key to itself");
  }
  const std::string text =
      KeyRotationText(rotation.spiffe_id, old_key->id(), new_key->id(), rotation.time);
  if (!old_key->Verifies(text, rotation.signature)) {
    return absl::InvalidArgumentError("key rotation: the old key has not signed it");
  }
  return KeySuccession{*std::move(old_key), *std::move(new_key)};
}

absl::Status CheckKeyChain(const std::vector<KeyRotation>& rotations, const SpiffeId& id,
                           const std::string& from, const std::string& to) {
  if (rotations.size() > kMostKeyRotations) {
    return absl::FailedPreconditionError("too many statements about its keys");
  }
  std::multimap<std::string, std::string> next;
  for (const KeyRotation& rotation : rotations) {
    const absl::StatusOr<KeySuccession> keys = CheckKeyRotation(rotation, id);
    if (keys.ok()) next.emplace(keys->old_key.id(), keys->new_key.id());
  }
  // As many steps as there are statements reach whatever can be reached.
  std::set<std::string> reached = {from};
  for (size_t step = 0; step < rotations.size() && reached.count(to) == 0; ++step) {
    for (const auto& [old_key, new_key] : next) {
      if (reached.count(old_key) > 0) reached.insert(new_key);
    }
  }
  if (reached.count(to) > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("no statement of the key {} leads to {}", from, to));
}

}  // namespace culvert::crypto
