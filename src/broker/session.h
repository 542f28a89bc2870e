// One registration of a provider: its Listen stream.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "broker/requests.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/stream.h"
#include "tunnel/error_code.h"
#include "tunnel/message.h"

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

  // What may wait for the provider to read it.
  static constexpr size_t kMaxUnreadBytes = size_t{256} * 1024;

  // A provider that takes nothing of what it is told for `unread_time` is lost.
  Session(net::EventLoop& loop, uint64_t id, OpenSession opening, std::string peer,
          std::unique_ptr<rpc::Stream> stream, Duration unread_time, Owner& owner);
  ~Session();

  uint64_t id() const { return id_; }
  const ProviderKey& provider() const { return opening_.provider; }
  uint64_t incarnation() const { return opening_.incarnation; }
  const std::optional<Principal>& principal() const { return opening_.principal; }
  const std::vector<std::string>& services() const { return opening_.services; }
  MonotonicTime since() const { return since_; }
  bool capable() const { return tunnel::IsCapable(opening_.capabilities); }
  const std::string& peer() const { return peer_; }

  // Asks the provider to accept `channel_id` of the consumer at `consumer_address`.
  // RESOURCE_EXHAUSTED when it does not read its offers.
  absl::Status Offer(uint64_t channel_id, const OpenChannel& open,
                     const std::string& consumer_address);
  // Takes the offer of `channel_id` back: nobody waits for it any more, because of `why`. A legacy
  // provider finds out when it accepts.
  void TakeBack(uint64_t channel_id, const absl::Status& why);
  // Ends the stream with `why`; OnSessionLost is not called for it.
  void End(const absl::Status& why);

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override;
  void OnPeerFinished() override;
  void OnEnd(absl::Status status) override;
  void HandleControl(const Bytes& message);
  void Write(rpc::Frame frame);
  bool HasRoomFor(const rpc::Frame& frame);
  void CountTaken();
  void WatchReading();
  void Lose(const absl::Status& why);

  const uint64_t id_;
  const OpenSession opening_;
  const MonotonicTime since_;
  const std::string peer_;
  std::unique_ptr<rpc::Stream> stream_;  // null once ended
  std::deque<size_t> unread_;            // sizes of the frames that the transport has not taken
  size_t unread_bytes_ = 0;
  uint64_t taken_ = 0;  // frames
  const Duration unread_time_;
  net::Timer unread_timer_;
  Owner& owner_;
};

}  // namespace culvert::broker
