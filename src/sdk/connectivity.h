// Whether brokers can be reached: what makes waiting for the next try shorter, and tells of
// connections that are no use any more.
#pragma once

#include <functional>
#include <list>
#include <string>

#include "absl/random/random.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "sdk/broker_list.h"

namespace culvert {

// Confined to the loop. Outlives its subscriptions.
class Connectivity {
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
      // stream on it, although gRPC has not noticed.
      std::function<void(size_t broker, const std::string& why)> on_dead;
    };
    Subscription(Connectivity& owner, Callbacks callbacks);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    // While anybody waits, the brokers are probed.
    void SetWaiting(bool waiting) { waiting_ = waiting; }

   private:
    friend class Connectivity;
    Connectivity& owner_;
    const Callbacks callbacks_;
    bool waiting_ = false;
  };

  // How long to wait before the next try of something that was lost `away` ago: jittered, from 50
  // ms to 5 s, about a fortieth of that time, so that what comes back is found soon after.
  Duration RetryWait(Duration away);

 private:
  net::EventLoop& loop_;
  BrokerList& brokers_;
  std::list<Subscription*> subscriptions_;
  absl::InsecureBitGen random_;
};

}  // namespace culvert
