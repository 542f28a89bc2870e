// An authority with its records in memory, and identities of it in a temporary directory.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/gate.h"
#include "broker/identity_calls.h"
#include "broker/pki.h"
#include "broker/records.h"
#include "broker/tickets.h"
#include "crypto/identity.h"

namespace culvert::test {

// What an operator would have decided. Changed only inside TestBroker::Run once a broker uses it.
class TestRecords final : public broker::Records {
 public:
  absl::StatusOr<crypto::SpiffeId> Redeem(const std::string& token, const std::string& key,
                                          crypto::SpiffeId::Role role) override;
  absl::Status NoteIssued(const crypto::Certificate&) override { return note_issued; }
  absl::Status KeepRotation(const crypto::KeyRotation& rotation,
                            const crypto::KeySuccession&) override {
    rotations.push_back(rotation);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<crypto::KeyRotation>> RotationsOf(
      const crypto::SpiffeId&) const override {
    return rotations;
  }
  absl::Status NoteLogin(const crypto::Certificate&) override { return absl::OkStatus(); }
  absl::Status MayRenew(const broker::Principal&) const override {
    if (!may_renew.ok()) ++refused_renewals;
    return may_renew;
  }
  absl::Status CheckNotRevoked(const std::string& key) const override;
  absl::Status CheckProject(const std::string&) const override { return absl::OkStatus(); }
  absl::Status MayConnect(const broker::Principal& who,
                          const broker::OpenChannel& open) const override;
  bool MaySee(const broker::Principal&, const broker::ProviderKey&) const override {
    return !denied;
  }

  bool denied = false;  // every channel
  std::string only;     // "user alice": everybody else's channels are denied, unless empty
  absl::Status may_renew;
  absl::Status note_issued;
  mutable int refused_renewals = 0;
  std::set<std::string> revoked;
  std::vector<crypto::KeyRotation> rotations;  // of whomever they are: the peer has to look
  std::string token;  // the only one, for the user alice; empty once it was used
};

// For the test thread, before and after a broker uses it.
class TestRealm {
 public:
  TestRealm();
  ~TestRealm();
  TestRealm(const TestRealm&) = delete;
  TestRealm& operator=(const TestRealm&) = delete;

  // A new key with a certificate, valid from `begin` to `end` from now on.
  crypto::Identity Issue(crypto::SpiffeId::Role role, const std::string& name,
                         const std::string& project = "default",
                         std::chrono::seconds begin = std::chrono::seconds(0),
                         std::chrono::seconds end = std::chrono::hours(1)) const;
  // The state directory of a program with that identity.
  std::string Keep(const crypto::Identity& identity);
  std::string Agent(const std::string& name) {
    return Keep(Issue(crypto::SpiffeId::Role::kAgent, name));
  }
  std::string User(const std::string& name) {
    return Keep(Issue(crypto::SpiffeId::Role::kUser, name));
  }

  const broker::Pki& pki() const { return *pki_; }
  TestRecords records;
  // As `records`.
  broker::Tickets tickets;

 private:
  std::string directory_;
  std::unique_ptr<broker::Pki> pki_;
  int kept_ = 0;
};

}  // namespace culvert::test
