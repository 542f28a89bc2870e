// Tells when the network of this machine changes: links, addresses, routes.
#pragma once

#include <functional>
#include <memory>

#include "net/event_loop.h"

namespace culvert::net {

// Confined to the loop; destroy = hear no more. Works without privileges. Where the kernel tells
// nothing (a sandbox without netlink) it is silent, which the log says once, at debug.
class NetworkWatch {
 public:
  // Changes come in bursts: what follows the first one within this time is told with it.
  static constexpr Duration kBurst = std::chrono::milliseconds(50);
  // A machine whose network changes all the time is told of it at most this often.
  static constexpr Duration kShortestInterval = std::chrono::milliseconds(250);

  // `changed` may destroy the watch.
  NetworkWatch(EventLoop& loop, std::function<void()> changed);
  ~NetworkWatch();
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  bool is_watching() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace culvert::net
