// One registration of a provider: its Listen stream.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/token_bucket.h"
#include "broker/requests.h"
#include "broker/resumption.h"
#include "culvert/v1/extensions.pb.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/stream.h"
#include "tunnel/error_code.h"
#include "tunnel/message.h"

namespace culvert::broker {

// A provider's word that it does not take a channel that it was offered.
struct OfferRefusal {
  uint64_t channel_id = 0;
  tunnel::ErrorCode code = tunnel::ErrorCode::kUnspecified;
  std::string message;
  uint64_t last_message_id = 0;  // that the provider had received; of kEnded
};

// That a channel has ended for good, because of `why`.
culvert::v1::Notice CutNotice(uint64_t channel_id, const absl::Status& why);

// Confined to the control loop. Owned by the Broker.
class Session final : private rpc::Stream::Delegate {
 public:
  class Owner {
   public:
    // The provider cannot serve a channel that it was offered.
    virtual void OnOpenRefused(Session& session, const OfferRefusal& refusal) = 0;
    // It has not the connection that was joined for a channel.
    virtual void OnStitchFailed(Session& session, uint64_t channel_id, uint64_t parked_id) = 0;
    // It wants so many tokens for the data port.
    virtual culvert::v1::LeaseDataResponse Lend(const Session& session, uint32_t count) = 0;
    // What the data port is; 0: there is none.
    virtual uint32_t data_port() const = 0;
    // The Listen stream is over. Called once, last; the owner removes the session in a later turn.
    virtual void OnSessionLost(Session& session, absl::Status why) = 0;
    // What a capable provider may go on with elsewhere; empty if it may not.
    virtual std::string MakeTicket(uint64_t session_id, const OpenSession& opening) = 0;

   protected:
    ~Owner() = default;
  };

  struct Times {
    // A provider that takes nothing of what it is told for so long is lost.
    Duration unread = std::chrono::seconds(10);
    // Well below what a ticket lives.
    Duration ticket_renewal = std::chrono::hours(24);
  };

  // What may wait for the provider to read it.
  static constexpr size_t kMaxUnreadBytes = size_t{256} * 1024;
  // More than this keeps notices back: a consumer that is refused again and again makes them, and
  // others' offers are to have room. Who misses one hears it from the channel's resume.
  static constexpr size_t kMaxUnreadNotices = kMaxUnreadBytes / 2;

  // What it may send: pings come every few seconds, and each offer is refused once. Openings and
  // resumes are limited where they come in; this is beyond what they can be.
  static constexpr TokenRate kPings{.per_second = 20, .burst = 200};
  static constexpr TokenRate kRefusals{.per_second = 5'000, .burst = 20'000};

  Session(net::EventLoop& loop, uint64_t id, OpenSession opening, std::string peer,
          std::unique_ptr<rpc::Stream> stream, const Times& times, Owner& owner);
  ~Session();

  uint64_t id() const { return id_; }
  // Of the Listen stream, at random: one that goes on with the session has another.
  uint64_t stream_id() const { return stream_id_; }
  const ProviderKey& provider() const { return opening_.provider; }
  uint64_t incarnation() const { return opening_.incarnation; }
  const std::optional<Principal>& principal() const { return opening_.principal; }
  const std::vector<std::string>& services() const { return opening_.services; }
  MonotonicTime since() const { return since_; }
  bool capable() const { return tunnel::IsCapable(opening_.capabilities); }
  uint64_t capabilities() const { return opening_.capabilities; }
  const std::string& peer() const { return peer_; }
  const std::string& endpoint() const { return opening_.endpoint; }
  // Whether it goes on with the session that the provider had before.
  bool IsResumed() const { return opening_.earlier && opening_.earlier->session_id == id_; }

  // Asks the provider to accept `channel_id` of the consumer at `consumer_address`.
  // `parked_id`: by its parked connection of that id, which is joined already; 0: by a stream.
  // RESOURCE_EXHAUSTED when it does not read its offers.
  absl::Status Offer(uint64_t channel_id, const OpenChannel& open,
                     const std::string& consumer_address, uint64_t parked_id = 0);
  // The same for a channel that the provider holds.
  absl::Status OfferResume(const Resumption& resume, const OpenChannel& open,
                           const std::string& consumer_address, uint64_t parked_id = 0);
  // That the channel has ended for good, because of `why`: an offer that nobody waits for any more,
  // or what may not go on. A legacy provider finds out when it accepts.
  // As Notify.
  bool TellCut(uint64_t channel_id, const absl::Status& why);
  // Unless it is a legacy provider, or does not read: whether it was told.
  bool Notify(const culvert::v1::Notice& notice);
  // Ends the stream with `why`; OnSessionLost is not called for it.
  void End(const absl::Status& why);

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override;
  void OnPeerFinished() override;
  void OnEnd(absl::Status status) override;
  void HandleControl(const Bytes& message);
  void WriteListening();
  absl::Status WriteOffer(rpc::Frame frame);
  void Write(rpc::Frame frame);
  bool HasRoomFor(const rpc::Frame& frame, size_t limit);
  void CountTaken();
  void WatchReading();
  void Lose(const absl::Status& why);

  net::EventLoop& loop_;
  const uint64_t id_;
  const uint64_t stream_id_;
  const OpenSession opening_;
  const MonotonicTime since_;
  const std::string peer_;
  std::unique_ptr<rpc::Stream> stream_;  // null once ended
  std::deque<size_t> unread_;            // sizes of the frames that the transport has not taken
  size_t unread_bytes_ = 0;
  uint64_t taken_ = 0;  // frames
  TokenBucket pings_;
  TokenBucket refusals_;
  const Times times_;
  net::Timer unread_timer_;
  net::Timer ticket_timer_;
  Owner& owner_;
};

}  // namespace culvert::broker
