// Renews the identity of a program that runs for longer than its certificate lives.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "base/bytes.h"
#include "crypto/identity.h"
#include "net/timer.h"
#include "net/work.h"
#include "sdk/broker_list.h"
#include "sdk/unary_call.h"

namespace culvert {

// Confined to the loop. From the construction on it has the broker issue a new certificate for the
// same key when two thirds of the life of the last one are over, and tries again until one comes.
// What came of a login is not renewed: it says so once, and takes what another login brings.
class IdentityKeeper {
 public:
  // Runs on the loop with every new identity, once it is saved.
  using OnRenewed = absl::AnyInvocable<void(const crypto::Identity&)>;

  // `brokers` outlives it.
  IdentityKeeper(net::EventLoop& loop, BrokerList& brokers, crypto::Identity identity,
                 std::string state_dir, OnRenewed on_renewed);
  ~IdentityKeeper();

  const crypto::Identity& identity() const { return *identity_; }

 private:
  void Plan(Duration wait);
  void PlanNext();
  void Renew();
  void HandleAnswer(const absl::StatusOr<Bytes>& answer);
  void Save(crypto::Identity renewed);
  void Retry(const absl::Status& why);
  // The broker does not renew it: somebody has to log in again, which may have happened.
  void GiveUp(const absl::Status& why);
  void LookForAnother();
  void HandleAnother(const absl::StatusOr<crypto::Identity>& found);

  net::EventLoop& loop_;
  BrokerList& brokers_;
  // Shared with the thread that saves it.
  std::shared_ptr<const crypto::Identity> identity_;
  const std::string state_dir_;
  OnRenewed on_renewed_;
  net::Timer timer_;
  size_t attempt_ = 0;   // which broker
  std::string why_not_;  // to be said once
  std::optional<UnaryCall> call_;
  std::optional<net::Work> save_;  // or loads it
};

}  // namespace culvert
