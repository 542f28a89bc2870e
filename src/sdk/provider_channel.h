// One channel that a consumer asked this provider for: starts the service, accepts, drives.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "culvert/provider.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "sdk/channel_driver.h"
#include "sdk/client_core.h"
#include "sdk/securing.h"

namespace culvert {

// Confined to the loop; owned by the ProviderSession, which removes it in a later turn.
class ProviderChannel final : private ChannelDriver::Owner, private EndpointListener {
 public:
  class Owner {
   public:
    // It is accepted, refused or cut: its service is not being started any more. Once.
    virtual void OnChannelStarted() = 0;
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

  // `factory` null: no such service. It outlives the channel. kPlain: the service may be served
  // without end-to-end encryption too.
  enum class Plain { kNo, kYes };
  void Start(const ServiceFactory* factory, Plain plain);
  // Instead of Start, or while it has not answered: the consumer is told.
  void Refuse(const absl::Status& why);
  // The broker has ended the channel, open or not: nobody needs to be told.
  void Cut(const absl::Status& why);
  // The session is over: what is not accepted yet can be accepted no more.
  void CutIfStarting(const absl::Status& why);
  uint64_t id() const { return request_.channel_id; }
  // None unless it is open.
  std::optional<ChannelStatus> Status() const;

 private:
  enum class State {
    kStarting,
    kSecuring,  // accepted; the service is started once the consumer has shown who it is
    kAccepted,  // the driver has it
    kRefused,   // or cut
  };

  void Secure();
  void HandleHello(const absl::Status& status);
  void StartService();
  void HandleStarted(absl::Status status);
  void OpenSecured(const absl::Status& status);
  void SendAccept();
  void PostStarted(const absl::Status& status);
  void Accept();
  void LeaveStarting(State to);
  void OnEndpointStop(absl::Status why) override;
  void OnChannelEnded(ChannelDriver& driver) override;
  void OnDriverDone(ChannelDriver& driver) override;

  ClientCore& core_;
  rpc::Connection& connection_;
  const uint64_t session_id_;
  const ntt::proxies::v1::ListenResponse::OpenChannelResponse offer_;
  const ServiceRequest request_;
  tunnel::Channel::Options options_;
  Owner& owner_;
  const MonotonicTime started_;
  State state_ = State::kStarting;
  std::unique_ptr<Service> service_;  // until it has started
  std::optional<EndpointAttachment> attachment_;
  std::optional<absl::Status> stopped_;  // by the service, before it was accepted
  const ServiceFactory* factory_ = nullptr;
  std::optional<ProviderSecuring> securing_;  // outlives the driver
  std::unique_ptr<ChannelDriver> driver_;
  // The service's answer may come after our end, or inside our call.
  std::shared_ptr<ProviderChannel*> alive_;
};

}  // namespace culvert
