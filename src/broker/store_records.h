// The records of a broker that has a store.
#pragma once

#include <functional>

#include "broker/records.h"
#include "store/store.h"

namespace culvert::broker {

// Confined to the control loop; the store outlives it.
class StoreRecords final : public Records {
 public:
  explicit StoreRecords(store::Store& store, std::function<WallTime()> clock = WallNow)
      : store_(store), clock_(std::move(clock)) {}

  absl::StatusOr<crypto::SpiffeId> Redeem(const std::string& token, const std::string& key,
                                          crypto::SpiffeId::Role role) override;
  absl::Status NoteIssued(const crypto::Certificate& certificate) override;
  absl::StatusOr<std::optional<crypto::Certificate>> AwaitSigning(
      const crypto::SpiffeId& id, const crypto::PublicKey& key, const std::string& request,
      const std::optional<crypto::Certificate>& present) override;
  absl::Status KeepRotation(const crypto::KeyRotation& rotation,
                            const crypto::KeySuccession& keys) override {
    return store_.key_rotations().Keep(rotation, keys);
  }
  absl::StatusOr<std::vector<crypto::KeyRotation>> RotationsOf(
      const crypto::SpiffeId& id) const override {
    return store_.key_rotations().List(id);
  }
  absl::Status NoteLogin(const crypto::Certificate& certificate) override;
  absl::Status MayRenew(const Principal& who) const override;
  absl::Status CheckNotRevoked(const std::string& key) const override;
  absl::Status CheckProject(const std::string& project) const override;
  absl::Status MayConnect(const Principal& who, const OpenChannel& open) const override;
  bool MaySee(const Principal& who, const ProviderKey& provider) const override;

 private:
  store::Store& store_;
  const std::function<WallTime()> clock_;
};

}  // namespace culvert::broker
