// One channel that a consumer asked this provider for: starts the service, accepts, drives.
#pragma once

#include <memory>
#include <string>

#include "culvert/provider.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "sdk/channel_driver.h"
#include "sdk/client_core.h"

namespace culvert {

// Confined to the loop; owned by the ProviderSession, which removes it in a later turn.
class ProviderChannel final : private ChannelDriver::Owner {
 public:
  class Owner {
   public:
    // The service did not start: the consumer is to hear it over Listen.
    virtual void OnChannelRefused(ProviderChannel& channel, const absl::Status& why) = 0;
    virtual void OnChannelReport(const ServiceRequest& request, const ChannelReport& report) = 0;
    virtual void OnChannelDone(ProviderChannel& channel) = 0;

   protected:
    ~Owner() = default;
  };

  // `connection` leads to the broker of the session.
  ProviderChannel(ClientCore& core, rpc::Connection& connection, uint64_t session_id,
                  const ntt::proxies::v1::ListenResponse::OpenChannelResponse& offer, Owner& owner);
  ~ProviderChannel();

  // `factory` null: no such service.
  void Start(const ServiceFactory* factory);
  void Abort(const absl::Status& why);
  uint64_t id() const { return request_.channel_id; }

 private:
  void HandleStarted(const absl::Status& status);
  void Refuse(const absl::Status& why);
  void Accept();
  void OnChannelEnded(ChannelDriver& driver) override;
  void OnDriverDone(ChannelDriver& driver) override;

  ClientCore& core_;
  rpc::Connection& connection_;
  const uint64_t session_id_;
  const ServiceRequest request_;
  tunnel::Channel::Options options_;
  Owner& owner_;
  const MonotonicTime started_;
  std::unique_ptr<Service> service_;  // until it has started
  std::unique_ptr<ChannelDriver> driver_;
  // The service's answer may come after our end, or inside our call.
  std::shared_ptr<ProviderChannel*> alive_;
};

}  // namespace culvert
