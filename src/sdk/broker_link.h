// Watches the connection to one broker, and the way to it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/connected_sockets.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/connection.h"
#include "sdk/broker_probe.h"
#include "sdk/link_health.h"

namespace culvert {

// Confined to the loop. Costs nothing while the connection is not used: no timer, no probe.
class BrokerLink {
 public:
  class Owner {
   public:
    // May run inside a call; must not destroy the link.
    virtual void OnReachable() = 0;
    virtual void OnDead(BrokerLink& link, const std::string& why) = 0;

   protected:
    ~Owner() = default;
  };
  using SendPing = std::function<void()>;

  BrokerLink(net::EventLoop& loop, rpc::Connection& connection, Owner& owner);
  ~BrokerLink();
  BrokerLink(const BrokerLink&) = delete;
  BrokerLink& operator=(const BrokerLink&) = delete;

  // Somebody waits for a broker: it is probed.
  void SetWaiting(bool waiting);
  void HandleNetworkChange();
  bool is_connected() const { return connection_.state() == rpc::Connection::State::kReady; }
  // A stream asks by it for answers.
  bool is_used() const { return !pings_.empty(); }
  // Something that should have been answered was not.
  void Suspect();
  // Likewise, if this is the connection that is watched and its broker can be asked.
  bool Ask(uint64_t generation);
  // What starts from now on uses another connection than this one; nothing if that is so already.
  void Leave(uint64_t generation);
  // `send` must stay until it is removed.
  void AddPing(const SendPing* send);
  void RemovePing(const SendPing* send) { pings_.remove(send); }

 private:
  void HandleWrite();
  void CheckBy(MonotonicTime latest);
  void Check();
  void CheckReady(MonotonicTime now);
  void CheckConnecting(rpc::Connection::State state, MonotonicTime now);
  void HandleProbe(const BrokerProbe::Success& success);
  void HandleProbeWhileConnecting(const BrokerProbe::Success& success);
  ConnectUnderWay LookAtConnect(const BrokerProbe::Success& success);
  bool HasLostItsAddress();
  LinkHealth::Evidence Look(MonotonicTime now);
  void Renew(const std::string& address);
  void GiveUp(const std::string& why);
  void UpdateProbe();

  net::EventLoop& loop_;
  rpc::Connection& connection_;
  Owner& owner_;
  std::list<const SendPing*> pings_;
  LinkHealth health_;
  net::ConnectedSockets sockets_;
  BrokerProbe probe_;
  net::Timer timer_;
  MonotonicTime check_at_{};  // while timer_ is set
  bool waiting_ = false;
  std::optional<MonotonicTime> connecting_since_;  // streams wait for the connection
};

}  // namespace culvert
