// Opens channels to services that a provider offers.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
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
    // How long to try while the broker cannot be reached or the provider is away. An unknown
    // provider is not tried again.
    std::chrono::nanoseconds open_timeout = std::chrono::seconds(10);
  };
  // Runs once on the loop thread, after the outlet's Close.
  using OnEnd = absl::AnyInvocable<void(const ChannelReport&) &&>;

  // `client` outlives the consumer.
  explicit Consumer(Client& client);
  // Aborts the channels. Afterwards no callback runs.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Opens a channel and attaches `outlet` to it. Thread-safe.
  void Connect(Request request, std::unique_ptr<Outlet> outlet, OnEnd on_end);

  // `done` runs on the loop thread when the last channel has ended. Thread-safe.
  void Drain(absl::AnyInvocable<void() &&> done);

  class Impl;

 private:
  Client& client_;
  std::shared_ptr<Impl> impl_;  // lives on the loop thread; tasks on their way to it hold it weakly
};

}  // namespace culvert
