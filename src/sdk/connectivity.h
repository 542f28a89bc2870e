// Whether brokers can be reached: what makes waiting for the next try shorter, and tells of
// connections that are no use any more.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "base/clock.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "net/network_watch.h"
#include "sdk/broker_link.h"
#include "sdk/broker_list.h"

namespace culvert {

// Confined to the loop. Outlives its subscriptions; the list of brokers
// outlives it. Idle, it costs one ping in 5 s for each
// connection with a control stream.
class Connectivity final : private BrokerLink::Owner, private BrokerList::Observer {
 public:
  Connectivity(net::EventLoop& loop, BrokerList& brokers);
  ~Connectivity();

  // Somebody who has streams to brokers or wants to start one. Destroy = hear no more. Callbacks
  // run in a turn of their own and may make and destroy subscriptions, the own one included.
  class Subscription {
   public:
    struct Callbacks {
      // A try is worth it now: the network has changed, or a broker answers again.
      std::function<void()> on_try_now;
      // The connection that new streams to this broker would have used is dead, and so is every
      // stream on it, although gRPC has not noticed. The next stream gets a new one.
      std::function<void(size_t broker, const std::string& why)> on_dead;
    };
    Subscription(Connectivity& owner, Callbacks callbacks);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    // While anybody waits, the brokers are probed.
    void SetWaiting(bool waiting);

   private:
    friend class Connectivity;
    Connectivity& owner_;
    const Callbacks callbacks_;
    const uint64_t made_at_;  // events told before
    std::list<Subscription*>::iterator at_;
    bool waiting_ = false;
  };

  // A stream to a broker that answers Ping: Listen or Attach, from its first answer to its end.
  // Any message on any stream counts as heard, so there is nothing to tell about Pong.
  class ControlPing {
   public:
    // `send` runs when the broker should be asked; after 5 s without any message, 1 s after
    // messages stop, and whenever something is suspicious.
    ControlPing(Connectivity& owner, size_t broker, std::function<void()> send);
    ~ControlPing();
    ControlPing(const ControlPing&) = delete;
    ControlPing& operator=(const ControlPing&) = delete;

   private:
    BrokerLink& link_;
    const BrokerLink::SendPing send_;
  };

  // Something was sent by way of this broker and not confirmed in time: it is asked at once. Cheap.
  void Suspect(size_t broker) { links_[broker]->Suspect(); }

  // Likewise for something that waits for an answer on connection `generation`: on_dead follows if
  // the broker is not heard. False, and nothing, if that is not known, because another connection
  // is in its place or nobody has a stream that answers pings.
  bool Ask(size_t broker, uint64_t generation) { return links_[broker]->Ask(generation); }

  // The broker at the other end of this connection (rpc::Connection::generation) is about to stop:
  // what starts from now on is for the one in its place. What runs over it goes on.
  void Leave(size_t broker, uint64_t generation) { links_[broker]->Leave(generation); }

  // How long to wait before the next try of something that was lost `away` ago: jittered, from 50
  // ms to 5 s, about a fortieth of that time, so that what comes back is found soon after.
  Duration RetryWait(Duration away);
  // After a try at this broker that failed. One that can be reached does not want us: not as fast.
  Duration RetryWaitAfter(size_t broker, Duration away);
  // `on_no_broker` runs at failed tries while no broker of the list is connected.
  void SetOnNoBroker(std::function<void()> on_no_broker) {
    on_no_broker_ = std::move(on_no_broker);
  }
  void NoteFailedTry();

  // The kernel says so, or whoever knows it otherwise.
  void HandleNetworkChange();

 private:
  struct Event {
    const BrokerLink* dead = nullptr;  // or a try is worth it
    std::string why;
  };
  void OnBrokerGoes(size_t broker) override;
  void OnBrokerComes(size_t broker) override;
  void OnOrderChanged() override;
  bool NeedsBroker(size_t broker) const override { return links_[broker]->is_used(); }
  void OnReachable() override;
  void OnDead(BrokerLink& link, const std::string& why) override;
  void UpdateWaiting(bool waiting);
  void ProbeWanted();
  void Tell();
  void TellAll(const Event& event);
  size_t IndexOf(const BrokerLink* link) const;

  net::EventLoop& loop_;
  BrokerList& brokers_;
  std::function<void()> on_no_broker_;
  std::list<Subscription*> subscriptions_;  // the oldest first
  std::list<Subscription*>::iterator
      next_to_tell_;           // of the event that is being told; the end: none
  uint64_t told_ = 0;          // events, with the one that is being told
  size_t waiting_ = 0;         // subscriptions
  std::vector<Event> events_;  // to tell in the next turn
  net::Deferred tell_;
  std::vector<std::unique_ptr<BrokerLink>> links_;  // by the numbers of the list
  net::NetworkWatch network_;
  absl::InsecureBitGen random_;
};

}  // namespace culvert
