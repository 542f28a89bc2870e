// Offers services through a broker, from wherever this program can dial out.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "culvert/channel_status.h"
#include "culvert/client.h"
#include "culvert/endpoint.h"

namespace culvert {

// What a consumer asks for.
struct ServiceRequest {
  std::string service;
  std::string arg;       // the service's own; at most 4096 bytes of anything
  std::string consumer;  // the address of who asks, "127.0.0.1:40022", as the broker sees it; may
                         // be empty
  uint64_t channel_id = 0;
  // Who asks: the SPIFFE id of the consumer's certificate and the thumbprint of its key. On an
  // encrypted channel it has shown them to this program, on a plain one to the broker. Empty with
  // `insecure`.
  std::string user = {};
  std::string user_key = {};
};

// Makes the service of one channel; an error refuses the channel. Loop thread.
using ServiceFactory =
    std::function<absl::StatusOr<std::unique_ptr<Service>>(const ServiceRequest&)>;

// How a channel went, for logs and metrics.
struct ChannelReport {
  uint64_t channel_id = 0;
  absl::Status status;  // OK: both directions ended in order
  std::string reason;   // for people: "closed", "connection refused: …"
  std::chrono::nanoseconds duration{0};
  uint64_t bytes_sent = 0;      // payload to the other end
  uint64_t bytes_received = 0;  // payload from the other end
  uint32_t resumes = 0;         // how often a lost path was replaced
};

// Registers with a broker of the Client's list under the Client's name and stays registered: a lost
// connection is tried again for ever, after 50 ms at first and 5 s at most, until a registration
// has lasted 10 s; sooner when the network changes. Channels outlive a lost connection and a broker
// (ClientOptions::resume_timeout). When another provider takes the name over, the next try comes
// after 30 s, doubling up to 10 min. Starts at most 1,024 services at a time; more are refused with
// kBusy.
class Provider {
 public:
  struct Options {
    std::map<std::string, ServiceFactory> services;
    // Of those, what is served without end-to-end encryption too: the broker can read it. With
    // `insecure` everything is.
    std::set<std::string> plaintext_services = {};
    // Optional. Loop thread. Registered (OK), or not any more and why; `retry_in` until the next
    // try.
    std::function<void(const absl::Status&, std::chrono::nanoseconds retry_in)> on_state;
    // Optional. Loop thread, for every channel that was opened or refused.
    std::function<void(const ServiceRequest&, const ChannelReport&)> on_channel_end;
  };

  // Starts at once. `client` outlives the provider.
  Provider(Client& client, Options options);
  // Ends the registration and aborts the channels: their services' Close runs (kShutdown), then no
  // callback any more. Not inside a callback of a channel.
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  // Ends the registration, for good; `done` runs once, on the loop thread, when the last channel
  // has ended and its last messages are out. An offer that is on its way is dropped: the broker
  // sees the registration end and offers it to whoever registers next. As long as a channel waits
  // for another path the registration stays, and offers are refused with kShutdown. Thread-safe.
  void Drain(absl::AnyInvocable<void() &&> done);

  // Drain, when another process has registered in place of this one: a channel that loses its path
  // from now on is reset. Thread-safe.
  void Retire(absl::AnyInvocable<void() &&> done);

  // The process that has registered in place of this one is gone: registers at once, and goes on as
  // before a Retire, whose `done` does not run any more if it has not. Not after Drain or Abort.
  // Thread-safe.
  void TakeBack();

  // Drain that resets every channel, at both ends (kShutdown): what to do before the destructor,
  // after which the other ends would have to find out by themselves. `done` runs after 500 ms at
  // the latest. Thread-safe.
  void Abort(absl::AnyInvocable<void() &&> done);

  // The channels that are open. Waits for the loop thread; may be called on it.
  std::vector<ChannelStatus> Channels() const;
  // The registration's; 0 while there is none. Likewise.
  uint64_t SessionId() const;

  class Impl;

 private:
  Client& client_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace culvert
