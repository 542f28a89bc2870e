// The brokers that a program may use, and which one is next.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "rpc/connection.h"
#include "rpc/credentials.h"

namespace culvert {

// "host:port", checked and written as gRPC takes them. INVALID_ARGUMENT for what is none, or an
// empty list.
absl::StatusOr<std::vector<std::string>> BrokerAddresses(const std::vector<std::string>& brokers);
// The same with the rules for a transport without identities: only loopback, whose names need no
// resolver. Returns literal addresses.
absl::StatusOr<std::vector<std::string>> LoopbackBrokers(const std::vector<std::string>& brokers);

// Confined to the loop.
class BrokerList {
 public:
  BrokerList(net::EventLoop& loop, const std::vector<std::string>& addresses,
             const rpc::Credentials& credentials);

  // `attempt` counts from 0: the list in order, over and over.
  rpc::Connection& ForAttempt(size_t attempt) {
    return *connections_[attempt % connections_.size()];
  }
  size_t size() const { return connections_.size(); }
  // For what is started from now on.
  void SetCredentials(const rpc::Credentials& credentials) {
    for (const auto& connection : connections_) connection->SetCredentials(credentials);
  }
  // The next attempt from one at a broker that stops, which names others, the best first: one of
  // the list, whatever it names.
  size_t NextOf(size_t attempt, const google::protobuf::RepeatedPtrField<std::string>& named) const;
  const std::string& AddressForAttempt(size_t attempt) const {
    return addresses_[attempt % addresses_.size()];
  }

 private:
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<rpc::Connection>> connections_;
};

}  // namespace culvert
