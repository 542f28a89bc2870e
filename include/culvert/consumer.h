// Opens channels to services that a provider offers.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "culvert/channel_status.h"
#include "culvert/client.h"
#include "culvert/endpoint.h"
#include "culvert/provider.h"

namespace culvert {

class Consumer {
 public:
  struct Request {
    std::string provider;
    std::string service;
    std::string arg;
    // How long to try while the broker cannot be reached or has too much under way, or the provider
    // is away or busy; an answer to the last try may take 1.5 s longer. An unknown provider is not
    // tried again.
    std::chrono::nanoseconds open_timeout = std::chrono::seconds(10);
  };
  // Runs once on the loop thread, after the outlet's Close.
  using OnEnd = absl::AnyInvocable<void(const ChannelReport&) &&>;

  // `client` outlives the consumer.
  explicit Consumer(Client& client);
  // Aborts the channels: their outlets' Close runs (kShutdown), then no callback any more. Not
  // inside a callback of a channel.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Opens a channel and attaches `outlet` to it. At most 256 openings of one target (provider,
  // service, arg) are under way at a time, the others wait for their turn. Thread-safe.
  void Connect(Request request, std::unique_ptr<Outlet> outlet, OnEnd on_end);

  // `done` runs once, on the loop thread, when no channel is left and the last messages of all are
  // out (at most 10 s after the last channel's end). Connect goes on working. A second call
  // replaces `done`. Thread-safe.
  void Drain(absl::AnyInvocable<void() &&> done);

  // Resets every channel, at both ends (kShutdown): what to do before the destructor, after which
  // the other ends would have to find out by themselves. `done` as with Drain, but after 500 ms at
  // the latest. Nothing may be opened any more. Thread-safe.
  void Abort(absl::AnyInvocable<void() &&> done);

  // The channels that are open. Waits for the loop thread; may be called on it.
  std::vector<ChannelStatus> Channels() const;

  class Impl;

 private:
  Client& client_;
  std::shared_ptr<Impl> impl_;  // lives on the loop thread; tasks on their way to it hold it weakly
};

}  // namespace culvert
