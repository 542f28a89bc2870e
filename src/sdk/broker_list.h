// The brokers that a program may use, and which one is next.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "rpc/connection.h"
#include "rpc/credentials.h"
#include "sdk/broker_names.h"

namespace culvert {

// The same with the rules for a transport without identities: only loopback, whose names need no
// resolver. Returns literal addresses.
absl::StatusOr<std::vector<BrokerName>> LoopbackBrokers(const std::vector<std::string>& brokers);

// Each broker has a number, for as long as the list is there; those of the list are in an order.
// Confined to the loop.
class BrokerList {
 public:
  // Brokers that are no longer of the list, kept because streams may lead to them; beyond that the
  // number of the one that has been away for longest is given to another one.
  static constexpr size_t kMaxRetired = 32;

  // Whoever keeps something for each broker.
  class Observer {
   public:
    // The number is, or is about to be, that of another broker than before, or a new one.
    virtual void OnBrokerGoes(size_t broker) = 0;
    virtual void OnBrokerComes(size_t broker) = 0;
    virtual void OnOrderChanged() = 0;
    // Its number cannot be given to another one now.
    virtual bool NeedsBroker(size_t broker) const = 0;

   protected:
    ~Observer() = default;
  };

  BrokerList(net::EventLoop& loop, const std::vector<std::string>& addresses,
             const rpc::Credentials& credentials);

  // In the order to try them, each once, at least one.
  void SetAddresses(const std::vector<std::string>& addresses);
  // One, or null; outlives its being set.
  void SetObserver(Observer* observer) { observer_ = observer; }

  size_t size() const { return order_.size(); }
  // Numbers, of the retired too.
  size_t count() const { return places_.size(); }
  // Numbers, in the order to try them.
  const std::vector<size_t>& listed() const { return order_; }
  size_t First() const { return order_.front(); }
  bool IsListed(size_t broker) const;
  // The broker to go to by that number, or the first of the list if it is no longer of it.
  size_t Current(size_t broker) const { return IsListed(broker) ? broker : First(); }
  // The list in order, over and over.
  size_t After(size_t broker) const;
  // The next one from one that stops, which names others, the best first: one of the list,
  // whatever it names.
  size_t NextOf(size_t broker, const google::protobuf::RepeatedPtrField<std::string>& named) const;

  rpc::Connection& ForAttempt(size_t broker) { return *places_[broker].connection; }
  const std::string& AddressForAttempt(size_t broker) const { return places_[broker].address; }
  // For what is started from now on.
  void SetCredentials(const rpc::Credentials& credentials);

 private:
  struct Place {
    std::string address;
    std::unique_ptr<rpc::Connection> connection;
    uint64_t retired = 0;  // when, of all that were; 0: it is listed
  };
  size_t PlaceOf(const std::string& address);
  size_t FreePlace();
  void Retire(const std::vector<size_t>& order);

  net::EventLoop& loop_;
  rpc::Credentials credentials_;
  Observer* observer_ = nullptr;
  std::vector<Place> places_;
  std::vector<size_t> order_;
  uint64_t retirements_ = 0;
};

}  // namespace culvert
