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
#include "sdk/renewal.h"
#include "sdk/unary_call.h"

namespace culvert {

// Confined to the loop. From the construction on it has the broker issue a new certificate when two
// thirds of the life of the last one are over, and tries again until one comes. What another
// process has renewed in the state directory is used instead. What came of a login is not renewed:
// it says so once, and waits for another login.
class IdentityKeeper {
 public:
  // Runs on the loop with every new identity, once it is saved.
  using OnRenewed = absl::AnyInvocable<void(const crypto::Identity&)>;

  // `brokers` outlives it.
  IdentityKeeper(net::EventLoop& loop, BrokerList& brokers, crypto::Identity identity,
                 std::string state_dir, KeyChoice keys, OnRenewed on_renewed);
  ~IdentityKeeper();

  const crypto::Identity& identity() const { return *identity_; }
  // Whether the renewals from now on bring new keys.
  void set_keys(KeyChoice keys) { keys_ = keys; }
  // Looks at once whether another process has renewed the identity.
  void TakeUp();
  // The broker wants the certificate renewed before its time. At most once a minute.
  void RenewNow();

 private:
  struct Step;
  void Plan(Duration wait);
  void PlanNext();
  void Prepare();
  void Call();
  void HandleAnswer(const absl::StatusOr<Bytes>& answer);
  void Save(crypto::Identity renewed);
  void HandleSaved(const crypto::Identity& renewed, const absl::StatusOr<crypto::Identity>& kept);
  void Use(crypto::Identity identity);
  void Retry(const absl::Status& why);
  void AskAgain();
  // The broker does not renew it: somebody has to log in again.
  void GiveUp(const absl::Status& why);
  void LookAgain();
  // Runs `job` on a thread, then `done` here; then whatever TakeUp has put off.
  void Work(absl::AnyInvocable<void() &&> job, absl::AnyInvocable<void() &&> done);

  net::EventLoop& loop_;
  BrokerList& brokers_;
  // Shared with the thread that saves it.
  std::shared_ptr<const crypto::Identity> identity_;
  const std::string state_dir_;
  KeyChoice keys_;
  OnRenewed on_renewed_;
  net::Timer timer_;
  size_t attempt_ = 0;                          // which broker
  std::optional<crypto::PrivateKey> next_key_;  // while `call_` is there
  std::optional<UnaryCall> call_;
  std::optional<net::Work> work_;
  std::optional<MonotonicTime> asked_to_renew_;
  bool take_up_ = false;            // once `work_` is done
  bool waits_for_signing_ = false;  // as was said in the log
  bool given_up_ = false;           // as was said too
};

}  // namespace culvert
