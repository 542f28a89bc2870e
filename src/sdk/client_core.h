// What a Client owns. Internal to Culvert's own programs and the SDK.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "culvert/client.h"
#include "net/loop_thread.h"
#include "net/timer.h"
#include "sdk/attachment.h"
#include "sdk/broker_list.h"
#include "sdk/broker_names.h"
#include "sdk/broker_use.h"
#include "sdk/channel_shares.h"
#include "sdk/connectivity.h"
#include "sdk/end_to_end.h"
#include "sdk/identity_keeper.h"
#include "sdk/opening_queue.h"
#include "sdk/suspended_channels.h"

namespace culvert {

class ClientCore {
 public:
  // How long a program that ends waits until the other ends know.
  static constexpr Duration kAbortTime = std::chrono::milliseconds(500);

  // Without an identity everything is plain and on loopback.
  ClientCore(const ClientOptions& options, const std::vector<BrokerName>& brokers,
             const std::optional<crypto::Identity>& identity);
  ~ClientCore();

  // Waits until it is known where the brokers are, at most BrokerNames::kFirstTime.
  // FAILED_PRECONDITION if there are none. Not on the loop thread.
  absl::Status AwaitBrokers();

  net::EventLoop& loop() { return thread_.loop(); }
  // Runs `task` on the loop and waits; on the loop thread, runs it at once.
  void RunOnLoop(net::EventLoop::Task task);

  const ClientOptions& options() const { return options_; }

  // Loop thread.
  BrokerList& brokers() { return *brokers_; }
  Connectivity& connectivity() { return *connectivity_; }
  BrokerUse& broker_use() { return broker_use_; }
  Attachment& attachment() { return *attachment_; }
  // None with `insecure`.
  IdentityKeeper* identity() { return identity_.get(); }
  // What another process has renewed in the state directory is used from now on.
  void TakeUpIdentity() {
    if (identity_ != nullptr) identity_->TakeUp();
  }
  // Of the renewals from now on.
  void SetKeyChoice(KeyChoice keys) {
    if (identity_ != nullptr) identity_->set_keys(keys);
  }
  EndToEnd* end_to_end() { return end_to_end_.get(); }
  // Runs with every new key of the identity, once it counts, until the observer is destroyed.
  class KeyObserver {
   public:
    KeyObserver(ClientCore& core, std::function<void()> on_new_key);
    ~KeyObserver();
    KeyObserver(const KeyObserver&) = delete;
    KeyObserver& operator=(const KeyObserver&) = delete;

   private:
    friend class ClientCore;
    ClientCore& core_;
    const std::function<void()> on_new_key_;
  };
  ChannelShares& shares() { return shares_; }
  tunnel::MemoryBudget& budget() { return shares_.budget; }
  SuspendedChannels& suspended() { return *suspended_; }
  OpeningQueue& openings() { return openings_; }
  // The last channel has gone: what the allocator keeps of a peak goes back to the system, now and
  // then.
  void ReturnFreeMemory();

 private:
  void UseRenewed(const crypto::Identity& renewed);
  void MakeBrokers(const std::vector<BrokerName>& brokers, const rpc::Credentials& credentials);
  std::unique_ptr<Attachment> Attach();
  void HoldOpenings(Duration time);

  const ClientOptions options_;
  std::list<KeyObserver*> key_observers_;
  std::string key_;  // the id of the one that counts
  ChannelShares shares_;
  OpeningQueue openings_;
  std::optional<MonotonicTime> memory_returned_;
  BrokerUse broker_use_;
  net::LoopThread thread_;
  std::unique_ptr<SuspendedChannels> suspended_;
  std::unique_ptr<BrokerNames> names_;
  std::unique_ptr<BrokerList> brokers_;
  std::unique_ptr<Connectivity> connectivity_;
  std::unique_ptr<EndToEnd> end_to_end_;
  std::unique_ptr<IdentityKeeper> identity_;
  std::optional<net::Timer> release_openings_;
  std::unique_ptr<Attachment> attachment_;
};

}  // namespace culvert
