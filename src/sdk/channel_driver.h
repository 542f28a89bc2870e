// Moves what a Channel says between its path and its endpoint.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "crypto/tls_records.h"
#include "culvert/channel_status.h"
#include "culvert/endpoint.h"
#include "culvert/error_code.h"
#include "culvert/provider.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "sdk/channel_seal.h"
#include "sdk/channel_shares.h"
#include "tunnel/channel.h"
#include "tunnel/path.h"

namespace culvert {

// Makes `listener` hear an endpoint's Break and Finish for as long as it lives.
class EndpointAttachment {
 public:
  EndpointAttachment(Endpoint& endpoint, EndpointListener& listener) : endpoint_(endpoint) {
    endpoint_.listener_ = &listener;
  }
  ~EndpointAttachment() { endpoint_.listener_ = nullptr; }
  EndpointAttachment(const EndpointAttachment&) = delete;
  EndpointAttachment& operator=(const EndpointAttachment&) = delete;

 private:
  Endpoint& endpoint_;
};

// Confined to the loop. At most one delivery is with the endpoint and one answer of it waits for
// the window, so that a stalled reader holds a window and one chunk.
class ChannelDriver final : private tunnel::Path::Delegate, public EndpointListener {
 public:
  class Owner {
   public:
    // The channel has ended and the endpoint is closed. Once.
    virtual void OnChannelEnded(ChannelDriver& driver) = 0;
    // The path is done with too: the owner may destroy the driver, in a later turn.
    virtual void OnDriverDone(ChannelDriver& driver) = 0;
    // The path is gone and the channel waits for another one: the owner calls Resume, GiveUp or
    // OnPeerEnded, now or later. Never inside a call of the owner's. Not called for a channel whose
    // end both sides know, nor when the loss is final.
    virtual void OnPathLost(ChannelDriver& driver, const absl::Status& why) = 0;
    // The network may be away: the path, a connection of its own, gets nothing through. It is not
    // lost yet, and is if SuspendUnlessAnswered finds it so.
    virtual void OnPathDoubtful(ChannelDriver& driver) = 0;

   protected:
    ~Owner() = default;
  };

  // What the two ends say to each other before the endpoint may speak, on a channel that is
  // encrypted from end to end.
  class Securing {
   public:
    // A message of the other end. May call Hold, Open and OnEndpointStop.
    virtual void OnSecuringMessage(Bytes message) = 0;

   protected:
    ~Securing() = default;
  };

  // From the end of the channel for the endpoint until the owner hears that the driver is done, at
  // most: the peer may take its time, or never confirm anything. Three times that from the loss of
  // a path on, if the peer could resume.
  static constexpr Duration kLingerTime = std::chrono::seconds(10);

  ChannelDriver(net::EventLoop& loop, const tunnel::Channel::Options& options,
                ChannelShares& shares, std::unique_ptr<Endpoint> endpoint, Owner& owner,
                Duration linger_time = kLingerTime);
  // Without an endpoint yet: begins with `securing`, which outlives it, and needs Open.
  ChannelDriver(net::EventLoop& loop, const tunnel::Channel::Options& options,
                ChannelShares& shares, Securing& securing, Owner& owner);
  ~ChannelDriver();
  ChannelDriver(const ChannelDriver&) = delete;
  ChannelDriver& operator=(const ChannelDriver&) = delete;

  // The delegate of every path of this channel.
  tunnel::Path::Delegate& path_delegate() { return *this; }
  // The endpoint may say so before Start: then the channel ends as soon as it has begun.
  void OnEndpointStop(absl::Status why) override;
  // Puts the channel on its first path.
  void Start(std::unique_ptr<tunnel::Path> path, uint64_t peer_window);

  // --- when a path is lost ---

  // Drops the path: its connection is dead, its broker goes away, or the peer has a newer one. The
  // same as a loss; nothing without a path.
  void Suspend(absl::Status why);
  // The same because the connection to the broker is dead: a path of its own goes on that was heard
  // within kHeardTime, and is again.
  void SuspendUnlessHeard(absl::Status why);
  static constexpr Duration kHeardTime = std::chrono::milliseconds(1500);
  // The same because the network has changed, or was away, which a path that is a connection of its
  // own may have survived: one that gets things through is left only if the other end does not
  // answer, within four round trips.
  void SuspendUnlessAnswered(absl::Status why);
  static constexpr Duration kLeastAnswerTime = std::chrono::milliseconds(400);
  static constexpr Duration kMostAnswerTime = std::chrono::seconds(3);
  // Goes on with path `attempt`, whose peer received everything up to `peer_last_id` and grants
  // `peer_window` beyond it. A path of an attempt that is not newer, or for a channel that has
  // ended meanwhile, is dropped.
  void Resume(uint32_t attempt, std::unique_ptr<tunnel::Path> path, uint64_t peer_last_id,
              uint64_t peer_window);
  // No path will come: the endpoint is closed with that, the peer is told nothing.
  void GiveUp(ErrorCode code, std::string message);
  // The peer answered a resume with what it remembers of the channel: tunnel::Channel.
  void OnPeerEnded(ErrorCode code, uint64_t last_id);
  // When the path was lost, as long as there is no other.
  std::optional<MonotonicTime> suspended_since() const {
    return is_suspended() ? std::optional(lost_at_) : std::nullopt;
  }

  // --- while the channel is being secured ---

  // A message for the other end, which gets it whole.
  void SendSecuring(Bytes message);
  // Takes no more messages until Open.
  void Hold();
  // The endpoint is heard from now on, and asked for what it has to say once Run was called; what
  // it says is sealed.
  void Open(std::unique_ptr<Endpoint> endpoint, std::unique_ptr<crypto::TlsRecords> records);
  void Run() { Pump(); }
  // Whether Open may still be called.
  bool is_securing() const { return phase_ < Phase::kOpen; }

  const tunnel::Channel& channel() const { return channel_; }
  ChannelReport Report() const;
  // Whether the two applications speak.
  bool is_open() const { return phase_ == Phase::kOpen; }
  // Without who is at the other end, and what was asked for.
  ChannelStatus Status() const;

 private:
  enum class Phase {
    kSecuring,
    kHolding,  // secured, but there is no endpoint yet
    kOpen,
    kLingering,  // the endpoint is closed; the last messages are exchanged
    kFinishing,  // nothing is left to say: the path ends
    kDone,       // the owner knows
  };
  // What the endpoint has asked for and its unsent bytes hold back.
  enum class Ending { kNo, kSending, kBoth };

  void OnPathMessage(tunnel::Message message) override;
  void OnPathReady() override;
  void OnPathDoubtful() override;
  void OnPathEnd(absl::Status why) override;

  bool is_suspended() const { return path_ == nullptr && channel_.suspended(); }
  void Doubt(Duration time, absl::Status why);
  void DropPath();
  void AwaitPath(absl::Status why);
  void TellLost();
  void TellResumed(Duration away) const;
  void StartLinger();
  void Pump();
  void PumpOnce();
  void PumpPath();
  void PumpSecuring();
  void PumpDelivery();
  size_t PayloadRoom() const;
  void PumpReading();
  void SendResidue();
  absl::Status SendSealed();
  void Attach(std::unique_ptr<Endpoint> endpoint);
  void HandleTaken(const absl::Status& status);
  void HandleEndTaken(const absl::Status& status);
  void HandleReceived(absl::StatusOr<Chunk> chunk);
  void Abort(const absl::Status& why);
  void ArmTimer();
  void CheckEnd();
  void CloseEndpoint();
  template <typename Handler>
  auto Guard(Handler handler);

  net::EventLoop& loop_;
  BusyChannels& busy_;
  BusyChannels::Mark busy_mark_;
  tunnel::Channel channel_;
  Securing* const securing_;             // null on a plain channel
  std::deque<Bytes> securing_messages_;  // that wait for the window
  ChannelSeal seal_;
  std::unique_ptr<Endpoint> endpoint_;  // null before Open and once closed
  std::optional<EndpointAttachment> attachment_;
  std::unique_ptr<tunnel::Path> path_;  // null while suspended, and once done
  Owner& owner_;
  net::Deferred tell_lost_;
  absl::Status lost_;        // why the last path was
  MonotonicTime lost_at_{};  // and when
  uint32_t resumes_ = 0;
  net::Timer timer_;   // the channel's
  net::Timer linger_;  // from the end of kOpen on
  net::Timer doubt_;   // whether the path goes on
  MonotonicTime doubted_until_{};
  const Duration linger_time_;
  const MonotonicTime started_;
  MonotonicTime ended_{};
  absl::Status final_status_;

  Phase phase_;
  uint64_t bytes_sent_ = 0;  // of the endpoint's, before they are sealed
  uint64_t bytes_received_ = 0;
  bool delivering_ = false;      // a delivery is with the endpoint
  bool delivering_end_ = false;  // and the end of the stream follows it
  size_t chunk_size_ = 0;        // that the endpoint was told
  bool receiving_ = false;       // an answer of the endpoint is outstanding
  Bytes residue_;                // of the last answer, waiting for the window
  Ending ending_ = Ending::kNo;  // after the residue
  bool pumping_ = false;
  bool pump_again_ = false;
  std::optional<MonotonicTime> timer_at_;
  // While the endpoint is open: callbacks that it keeps or calls after that find this gone.
  std::shared_ptr<ChannelDriver*> alive_;
};

}  // namespace culvert
