#include "sdk/broker_list.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/status.h"
#include "base/target.h"
#include "net/address.h"

namespace culvert {

absl::StatusOr<std::vector<std::string>> LoopbackBrokers(const std::vector<std::string>& brokers) {
  if (brokers.empty()) return absl::InvalidArgumentError("no broker given: use --broker HOST:PORT");
  std::vector<std::string> literals;
  for (const std::string& broker : brokers) {
    absl::StatusOr<Target> target = ParseTarget(broker);
    if (!target.ok()) return Annotate(target.status(), "broker");
    if (target->host == "localhost") target->host = "127.0.0.1";
    const absl::StatusOr<net::Address> address =
        net::Address::FromLiteral(target->host, target->port);
    if (!address.ok() || !address->is_loopback()) {
      return absl::InvalidArgumentError(
          fmt::format("broker {} is not a loopback address: --insecure works on loopback only",
                      Printable(broker)));
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

}  // namespace culvert
