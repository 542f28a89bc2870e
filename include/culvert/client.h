// A program's part in Culvert: its loop thread, its memory budget and its connections to brokers.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace culvert {

class ClientCore;

// What may carry a channel.
enum class PathChoice {
  kAuto,    // a stitched connection where there can be one, which is faster, else streams
  kStream,  // streams over the connection to the broker only
};

// Whether what a consumer opens is encrypted from end to end.
enum class EndToEndChoice {
  kRequired,
  kOff,  // the broker can read and change it; only services that the provider has in
         // Provider::Options::plaintext_services can be opened
};

struct ClientOptions {
  // "host:port", tried in this order; at least one. A name without a port is looked up first: the
  // targets of its SRV records _culvert._tcp.NAME are the brokers, or without any, port 7400 of it.
  std::vector<std::string> brokers;
  // Empty: the identity's, else projects/default.
  std::string project;
  std::string region;          // empty: the broker's own
  std::string service_domain;  // of the providers
  // Who this is: a provider's name is what consumers ask for. Empty: the identity's.
  std::string name;
  // Where `culvert enroll` or `culvert-agent enroll` has put the identity. It is renewed there when
  // two thirds of its life are over.
  std::string state_dir;
  // Each renewal brings a new key, for which the old one vouches, and not only a new certificate.
  bool rotate_key = false;
  // The key that an agent must have, by its name: counts more than what `known_agents` in the state
  // directory says, where every agent's key is recorded when it is first seen.
  std::map<std::string, std::string> agent_keys;
  // Most bytes that all channels may hold together.
  uint64_t memory_limit = uint64_t{256} << 20;
  // How long a channel whose path was lost waits for another one, with its local side held; the
  // shorter of both ends' counts. 0: it is reset at once.
  std::chrono::nanoseconds resume_timeout = std::chrono::minutes(5);
  PathChoice path = PathChoice::kAuto;
  EndToEndChoice end_to_end = EndToEndChoice::kRequired;  // of consumers
  // Channels without end-to-end encryption may have stitched paths, if the other end says so too:
  // over the broker's data port, where not even TLS to the broker is around them.
  bool allow_clear_data = false;
  // No TLS and no identity: loopback only, for development. `state_dir` is not looked at.
  bool insecure = false;
};

// Owns one loop thread, on which every Service, Outlet and callback of its Providers and Consumers
// runs. Destroy those first, and neither them nor the Client inside such a callback: Post it.
// Thread-safe.
class Client {
 public:
  // INVALID_ARGUMENT or FAILED_PRECONDITION with one line for options that cannot work. Reads the
  // identity; does not connect yet. Waits for name servers, for 2 s at most, if a broker is named
  // without a port.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ClientOptions& options);
  // Not on the loop thread.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Runs `task` on the loop thread, later.
  void Post(absl::AnyInvocable<void() &&> task);
  // Runs `task` on the loop thread and waits for it. On the loop thread, runs it at once.
  void Run(absl::AnyInvocable<void() &&> task);

  // For Culvert's own programs; not part of the SDK's promise.
  ClientCore& core() { return *core_; }

 private:
  explicit Client(std::unique_ptr<ClientCore> core);
  std::unique_ptr<ClientCore> core_;
};

}  // namespace culvert
