// One registration of a provider: its Listen stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "broker/admission.h"
#include "broker/requests.h"
#include "net/event_loop.h"
#include "rpc/stream.h"
#include "tunnel/error_code.h"

namespace culvert::broker {

// Confined to the control loop. Owned by the Broker.
class Session final : private rpc::Stream::Delegate {
 public:
  class Owner {
   public:
    // The provider cannot serve a channel that it was offered.
    virtual void OnOpenRefused(Session& session, uint64_t channel_id, tunnel::ErrorCode code,
                               const std::string& message) = 0;
    // The Listen stream is over. Called once, last; the owner removes the session in a later turn.
    virtual void OnSessionLost(Session& session, absl::Status why) = 0;

   protected:
    ~Owner() = default;
  };

  Session(uint64_t id, OpenSession opening, std::string peer, std::unique_ptr<rpc::Stream> stream,
          SlotCounter::Slot slot, Owner& owner);
  ~Session();

  uint64_t id() const { return id_; }
  const ProviderKey& provider() const { return opening_.provider; }
  uint64_t incarnation() const { return opening_.incarnation; }
  bool capable() const { return opening_.capabilities != 0; }
  const std::string& peer() const { return peer_; }

  // Asks the provider to accept `channel_id`. RESOURCE_EXHAUSTED when it does not read its offers.
  absl::Status Offer(uint64_t channel_id, const OpenChannel& open);
  // Ends the stream with `why`; OnSessionLost is not called for it.
  void End(const absl::Status& why);

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override;
  void OnPeerFinished() override;
  void OnEnd(absl::Status status) override;
  void HandleControl(const Bytes& message);
  void Lose(const absl::Status& why);

  const uint64_t id_;
  const OpenSession opening_;
  const std::string peer_;
  std::unique_ptr<rpc::Stream> stream_;  // null once ended
  SlotCounter::Slot slot_;
  Owner& owner_;
};

}  // namespace culvert::broker
