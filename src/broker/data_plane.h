// All of the broker's part in stitched connections: tokens, the data port, the sockets that wait
// there, and the threads that move bytes between those that were joined.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/data_port.h"
#include "broker/leases.h"
#include "broker/parked_sockets.h"
#include "culvert/v1/extensions.pb.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "net/splicer.h"
#include "net/unique_fd.h"

namespace culvert::broker {

// Confined to the control loop. Outlives the Broker that uses it.
class DataPlane {
 public:
  struct Options {
    // That clients dial: another one than is listened on where something on the way changes it.
    // 0: that of the first address.
    uint16_t advertised_port = 0;
    DataPort::Peers peers = DataPort::Peers::kAny;
    DataPort::Limits limits = {};
    net::Splicer::Options splicer = {};
  };

  // Fails for want of descriptors.
  static absl::StatusOr<std::unique_ptr<DataPlane>> Start(net::EventLoop& loop,
                                                          const Options& options);
  ~DataPlane();
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;

  // The message of a failure names the address.
  absl::Status Listen(const net::Address& address) { return port_.Listen(address); }
  // Pairs go on; who waits for one does not.
  void StopListening() { port_.StopListening(); }
  std::vector<net::Address> addresses() const { return port_.addresses(); }
  // 0 while nothing is listened on.
  uint32_t advertised_port() const;

  // Tokens, as many of `count` as the limits leave.
  culvert::v1::LeaseDataResponse Lend(const DataOwner& owner, uint32_t count);
  // The owner is gone, and what it has parked.
  void Drop(const DataOwner& owner);
  std::optional<ParkedSockets::Parked> Take(const DataOwner& owner, uint64_t parked_id) {
    return parked_.Take(owner, parked_id);
  }
  bool Holds(const DataOwner& owner, uint64_t parked_id) const {
    return parked_.Holds(owner, parked_id);
  }
  std::optional<ParkedSockets::Parked> TakeNewest(const DataOwner& owner) {
    return parked_.TakeNewest(owner);
  }

  // Who takes a connection whose token is no lease: true if the token is one of its, and `socket`
  // taken. Null: nobody.
  using OtherTokens = absl::AnyInvocable<bool(std::string_view token, net::UniqueFd& socket)>;
  void SetOtherTokens(OtherTokens other) { other_tokens_ = std::move(other); }

  // Two sockets that are joined. Destroy = reset both, and no callback runs any more.
  class Pair {
   public:
    using OnEnd = absl::AnyInvocable<void(const net::SpliceEnd&) &&>;
    // `on_end` runs once, when both have ended; never inside a call. May destroy the Pair. What
    // passes counts in `rate`, if it is not null.
    Pair(DataPlane& plane, net::UniqueFd consumer, net::UniqueFd provider, OnEnd on_end,
         std::shared_ptr<net::ByteRate> rate = nullptr);
    ~Pair();
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    // Resets both; on_end does not run for it. Nothing once they have ended.
    void Cut();
    // Nobody is to hear of the end any more.
    void Forget();
    // From the consumer, and from the provider.
    std::array<uint64_t, 2> moved() const;

   private:
    friend class DataPlane;
    void HandleEnd(const net::SpliceEnd& end);

    DataPlane& plane_;
    const uint64_t id_;
    std::array<uint64_t, 2> moved_{};  // once ended
    OnEnd on_end_;                     // null once ended
  };
  size_t pairs() const { return pairs_.size(); }

 private:
  DataPlane(net::EventLoop& loop, const Options& options);
  DataPort::Verdict HandleToken(std::string_view token, net::UniqueFd socket);
  void HandleEnd(const net::SpliceEnd& end);

  net::EventLoop& loop_;
  const uint16_t advertised_port_;
  Leases leases_;
  ParkedSockets parked_;
  OtherTokens other_tokens_;
  DataPort port_;
  std::unique_ptr<net::Splicer> splicer_;
  std::unordered_map<uint64_t, Pair*> pairs_;  // by the splicer's id
};

}  // namespace culvert::broker
