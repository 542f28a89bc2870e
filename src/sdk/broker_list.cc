#include "sdk/broker_list.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/status.h"
#include "base/target.h"
#include "net/address.h"

namespace culvert {

namespace {

absl::StatusOr<std::vector<Target>> ParseBrokers(const std::vector<std::string>& brokers) {
  if (brokers.empty()) return absl::InvalidArgumentError("no broker given: use --broker HOST:PORT");
  std::vector<Target> targets;
  for (const std::string& broker : brokers) {
    absl::StatusOr<Target> target = ParseTarget(broker);
    if (!target.ok()) return Annotate(target.status(), "broker");
    targets.push_back(*std::move(target));
  }
  return targets;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> BrokerAddresses(const std::vector<std::string>& brokers) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseBrokers(brokers));
  std::vector<std::string> addresses;
  addresses.reserve(targets.size());
  for (const Target& target : targets) addresses.push_back(target.ToString());
  return addresses;
}

absl::StatusOr<std::vector<std::string>> LoopbackBrokers(const std::vector<std::string>& brokers) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseBrokers(brokers));
  std::vector<std::string> literals;
  for (const Target& target : targets) {
    const std::string host = target.host == "localhost" ? "127.0.0.1" : target.host;
    const absl::StatusOr<net::Address> address = net::Address::FromLiteral(host, target.port);
    if (!address.ok() || !address->is_loopback()) {
      return absl::InvalidArgumentError(
          fmt::format("broker {} is not a loopback address: --insecure works on loopback only",
                      Printable(target.ToString())));
    }
    literals.push_back(address->ToString());
  }
  return literals;
}

BrokerList::BrokerList(net::EventLoop& loop, const std::vector<std::string>& addresses,
                       const rpc::Credentials& credentials)
    : addresses_(addresses) {
  for (const std::string& address : addresses_) {
    connections_.push_back(std::make_unique<rpc::Connection>(loop, address, credentials));
  }
}

size_t BrokerList::NextOf(size_t attempt,
                          const google::protobuf::RepeatedPtrField<std::string>& named) const {
  for (const std::string& address : named) {
    for (size_t next = attempt + 1; next < attempt + size(); ++next) {
      if (AddressForAttempt(next) == address) return next;
    }
  }
  return attempt + 1;
}

}  // namespace culvert
