#include "sdk/broker_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/target.h"
#include "net/address.h"

namespace culvert {

absl::StatusOr<std::vector<BrokerName>> LoopbackBrokers(const std::vector<std::string>& brokers) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<BrokerName> names, ParseBrokers(brokers));
  std::vector<BrokerName> literals;
  for (const BrokerName& name : names) {
    CULVERT_ASSIGN_OR_RETURN(const Target target, ParseTarget(name.address));
    const std::string host = target.host == "localhost" ? "127.0.0.1" : target.host;
    const absl::StatusOr<net::Address> address = net::Address::FromLiteral(host, target.port);
    if (!address.ok() || !address->is_loopback()) {
      return absl::InvalidArgumentError(
          fmt::format("broker {} is not a loopback address: --insecure works on loopback only",
                      Printable(name.domain.empty() ? name.address : name.domain)));
    }
    literals.push_back({address->ToString(), ""});
  }
  return literals;
}

BrokerList::BrokerList(net::EventLoop& loop, const std::vector<std::string>& addresses,
                       const rpc::Credentials& credentials)
    : loop_(loop), credentials_(credentials) {
  SetAddresses(addresses);
}

// --- who is listed ---

void BrokerList::SetAddresses(const std::vector<std::string>& addresses) {
  CULVERT_CHECK(!addresses.empty());
  std::vector<size_t> order;
  // Those that stay first: their numbers are not free.
  for (Place& place : places_) {
    const bool stays =
        std::find(addresses.begin(), addresses.end(), place.address) != addresses.end();
    if (stays) place.retired = 0;
  }
  for (const std::string& address : addresses) {
    const size_t place = PlaceOf(address);
    if (std::find(order.begin(), order.end(), place) == order.end()) order.push_back(place);
  }
  Retire(order);
  order_ = std::move(order);
  if (observer_ != nullptr) observer_->OnOrderChanged();
}

void BrokerList::Retire(const std::vector<size_t>& order) {
  for (size_t place = 0; place < places_.size(); ++place) {
    const bool listed = std::find(order.begin(), order.end(), place) != order.end();
    if (!listed && places_[place].retired == 0) places_[place].retired = ++retirements_;
  }
}

size_t BrokerList::PlaceOf(const std::string& address) {
  const auto known = std::find_if(places_.begin(), places_.end(), [&address](const Place& place) {
    return place.address == address;
  });
  if (known != places_.end()) return static_cast<size_t>(known - places_.begin());
  const size_t place = FreePlace();
  places_[place] = {address, std::make_unique<rpc::Connection>(loop_, address, credentials_), 0};
  if (observer_ != nullptr) observer_->OnBrokerComes(place);
  return place;
}

// A new number, unless too many lead to brokers that are no longer of the list.
size_t BrokerList::FreePlace() {
  size_t retired = 0;
  size_t oldest = places_.size();
  for (size_t place = 0; place < places_.size(); ++place) {
    if (places_[place].retired == 0) continue;
    ++retired;
    const bool older = oldest == places_.size() || places_[place].retired < places_[oldest].retired;
    const bool needed = observer_ != nullptr && observer_->NeedsBroker(place);
    if (older && !needed) oldest = place;
  }
  if (retired < kMaxRetired || oldest == places_.size()) {
    places_.emplace_back();
    return places_.size() - 1;
  }
  if (observer_ != nullptr) observer_->OnBrokerGoes(oldest);
  return oldest;
}

// --- which is next ---

bool BrokerList::IsListed(size_t broker) const {
  return std::find(order_.begin(), order_.end(), broker) != order_.end();
}

size_t BrokerList::After(size_t broker) const {
  const auto here = std::find(order_.begin(), order_.end(), broker);
  const bool is_last = here == order_.end() || here + 1 == order_.end();
  return is_last ? First() : *(here + 1);
}

size_t BrokerList::NextOf(size_t broker,
                          const google::protobuf::RepeatedPtrField<std::string>& named) const {
  for (const std::string& address : named) {
    for (const size_t other : order_) {
      if (other != broker && AddressForAttempt(other) == address) return other;
    }
  }
  return After(broker);
}

void BrokerList::SetCredentials(const rpc::Credentials& credentials) {
  credentials_ = credentials;
  for (Place& place : places_) place.connection->SetCredentials(credentials);
}

}  // namespace culvert
