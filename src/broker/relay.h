// One channel inside the broker: the consumer's Connect stream and the provider's Accept stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "broker/admission.h"
#include "broker/data_plane.h"
#include "broker/earlier_paths.h"
#include "broker/quotas.h"
#include "broker/requests.h"
#include "broker/resumption.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/codec.h"
#include "rpc/stream.h"
#include "tunnel/error_code.h"

namespace culvert::broker {

// What both halves hear when one is lost.
absl::Status PathLost();

// Passes messages on, one in flight each way, and looks at no payload. Keeps nothing: what is not
// acknowledged is at the ends. Confined to the control loop; owned by the Broker.
class Relay {
 public:
  enum class State {
    kWaiting,  // for the provider to come back
    kOpening,  // offered to the provider, which has not accepted yet
    kRelaying,
    kEnding,  // one half has finished in order, the other is about to
    kEnded,
  };

  // How it went, once it is over.
  struct Outcome {
    bool opened = false;  // a provider had accepted
    absl::Status why;     // OK: closed by the ends. What an end said counts more than how
    // it left, and what the broker decided more than both
    uint64_t bytes_sent = 0;  // of the user's, from the consumer
    uint64_t bytes_received = 0;
    Duration duration = {};
  };

  class Owner {
   public:
    // The relay is over; its streams are finished. The owner removes it in a later turn.
    virtual void OnRelayEnded(Relay& relay) = 0;
    // The provider did not accept in time, or did not come back: the owner fails the opening.
    virtual void OnRelayTimeout(Relay& relay) = 0;
    // What the consumer of `relay`, which was just accepted, may resume it with.
    virtual std::string MakeTicket(const Relay& relay) = 0;

   protected:
    ~Owner() = default;
  };

  // For an opening as a whole, waiting for the provider included. Longer than the 10 s that an
  // agent dials, so that its answer, which says more, comes first.
  static constexpr Duration kOpeningTime = std::chrono::milliseconds(10'500);
  static constexpr Duration kEndingTime = std::chrono::seconds(10);
  // Between the two signs of a lost stream: gRPC first says that no message follows, then that it
  // was cancelled.
  static constexpr Duration kLostTime = std::chrono::milliseconds(100);

  // How often another channel id is drawn because the provider has the one that it was offered.
  static constexpr int kMaxRedraws = 3;

  // `peer` is the consumer's address. `opening` counts as an opening under way until the channel is
  // open or over, which is after `opening_time` at the latest; `counted` until it is over. With
  // `resume` it is one more path of that channel.
  Relay(net::EventLoop& loop, uint64_t channel_id, OpenChannel open,
        std::optional<Resumption> resume, std::string peer, std::unique_ptr<rpc::Stream> consumer,
        SlotCounter::Slot opening, Quotas::Channel counted, Duration opening_time, Owner& owner);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  uint64_t id() const { return id_; }
  State state() const { return state_; }
  const OpenChannel& open() const { return open_; }
  const std::optional<Resumption>& resume() const { return resume_; }
  uint32_t attempt() const { return resume_ ? resume_->attempt : 1; }
  // Once accepted.
  uint64_t provider_capabilities() const { return provider_capabilities_; }
  uint32_t resume_timeout_s() const { return resume_timeout_s_; }
  culvert::v1::EndToEnd end_to_end() const { return end_to_end_; }
  uint64_t session_id() const { return session_id_; }
  const std::string& peer() const { return peer_; }
  // Of the user's, so far, by this path and the earlier ones that GoOnFrom told of. On a stitched
  // path with all that is around them, which nobody looks into: frames, Hello, acknowledgements.
  CarriedBytes carried() const;
  void GoOnFrom(const CarriedBytes& earlier) { earlier_ = earlier; }
  // Once kEnded.
  const Outcome& outcome() const { return outcome_; }
  // Once kEnded: what the consumer's half ended with.
  const absl::Status& end_status() const { return end_status_; }
  // Once kEnded: which half was lost, if it was that.
  bool consumer_lost() const { return lost_ == Lost::kConsumer || lost_ == Lost::kPair; }
  bool provider_lost() const { return lost_ == Lost::kProvider || lost_ == Lost::kPair; }
  // Whether it has, or had, a stitched path.
  bool is_stitched() const { return provider_parked_id_ != 0; }
  // Whose attachment a stitched path was asked for on.
  const DataOwner& consumer_process() const { return consumer_process_; }
  // StreamInfo::endpoint of the Connect stream; of a stitched path that of the Attach stream, which
  // may go over to another one.
  const std::string& consumer_endpoint() const { return consumer_endpoint_; }
  void ConsumerIsAt(const std::string& endpoint) { consumer_endpoint_ = endpoint; }
  // StreamInfo::endpoint of the Accept stream, once there is one.
  const std::string& provider_peer() const { return provider_peer_; }

  // The provider is away: waits until OfferedTo, at most `limit`. `held` is given back then.
  void WaitForProvider(Duration limit, SlotCounter::Slot held = {});
  // Counts one more redraw; false when there were enough of them.
  bool MayRedraw() { return ++redraws_ <= kMaxRedraws; }
  // The provider was asked under `channel_id`: it may accept for `limit`, until the opening's time
  // is over.
  void OfferedTo(uint64_t session_id, uint64_t channel_id, Duration limit);
  // The provider accepted: `who` it is, none under --insecure. The channel is open.
  void Accept(const AcceptChannel& accept, std::optional<Principal> who,
              std::unique_ptr<rpc::Stream> provider);
  // The two connections of a stitched path.
  struct Ends {
    net::UniqueFd consumer;
    DataOwner consumer_process;
    ParkedSockets::Parked provider;
    SlotCounter::Slot provider_slot;  // counts until the path is over
  };
  // As Accept, by two connections, which are joined from now on. The consumer's stream gets its
  // answer, and then carries nothing more; it stays, as what counts for its limits.
  void Stitch(const AcceptChannel& accept, std::optional<Principal> who, DataPlane& plane,
              Ends ends);
  // Whether its path is the provider's parked connection of that id.
  bool IsOn(uint64_t parked_id) const { return is_stitched() && provider_parked_id_ == parked_id; }
  // One of the two connections is lost, as its end says.
  void LosePair();
  // The provider's half has no use any more unless it runs over the connection of `endpoint`: both
  // ends are to resume.
  void KeepOver(const std::string& endpoint);
  // Who accepted; of a resume that is not accepted yet, who did at first.
  const std::optional<Principal>& provider() const { return accepted_by_; }
  // The opening failed, by the provider's word or ours: the consumer hears it as a
  // channel_open_error.
  void Refuse(tunnel::ErrorCode code, const std::string& message);
  // The opening failed for a reason that is a status of its own (NOT_FOUND, DEADLINE_EXCEEDED, …).
  void Fail(const absl::Status& status, tunnel::ErrorCode code, Duration offline);
  // The resume comes to nothing.
  void RefuseResume(const ResumeRefusal& refusal);
  // Tells both ends, unless they are legacy ones or there is no path yet.
  void Notify(const culvert::v1::Notice& notice);
  // Ends both halves with `status`.
  void Cut(const absl::Status& status);
  // The same, but for the connections of a stitched path: they stay joined until what is returned
  // goes. Null where there are none.
  std::unique_ptr<DataPlane::Pair> CutButPair(const absl::Status& status);

 private:
  struct Half final : rpc::Stream::Delegate {
    Half(Relay& owner, rpc::EnvelopeType in_type, rpc::EnvelopeType out_type)
        : relay(owner), in(in_type), out(out_type) {}
    void OnMessage(Bytes message) override { relay.HandleMessage(*this, message); }
    void OnWritten() override { relay.HandleWritten(*this); }
    void OnPeerFinished() override { relay.HandlePeerFinished(*this); }
    void OnEnd(absl::Status) override { relay.HandleLost(*this); }

    Relay& relay;
    const rpc::EnvelopeType in;
    const rpc::EnvelopeType out;
    std::unique_ptr<rpc::Stream> stream;
    bool pong_in_flight = false;
    bool said_end = false;       // a Close or Error of this half was passed on
    bool peer_finished = false;  // the client of this half has finished writing
    uint64_t bytes = 0;          // of the user's, passed on from this half
    // What the project's bytes a second do not let through yet.
    struct Held {
      rpc::Envelope message;
      uint64_t claimed = 0;  // of its bytes
      net::ByteRate::Place place = 0;
    };
    std::optional<Held> held;
    std::optional<net::Timer> held_timer;
  };

  enum class Lost { kNothing, kConsumer, kProvider, kPair };  // kPair: one of the two, or both

  CarriedBytes CarriedByThis() const;
  void BeginRelaying(const AcceptChannel& accept, std::optional<Principal> who);
  void HandlePairEnd(const net::SpliceEnd& end);
  void HandleMessage(Half& from, const Bytes& message);
  void HandleWritten(Half& half);
  void MaybeRead(Half& half);
  void HandlePeerFinished(Half& half);
  void HandleLost(Half& half);
  void EndLeft(const Half& left, const absl::Status& why);
  void PassOn(Half& from, const rpc::Envelope& envelope);
  void Hold(Half& from, rpc::Envelope message);
  void PassOnHeld(Half& from);
  void NoteError(const Half& from, const Bytes& body);
  Lost LostOf(const Half& half) const {
    return &half == &consumer_ ? Lost::kConsumer : Lost::kProvider;
  }
  Half& Other(Half& half) { return &half == &consumer_ ? provider_ : consumer_; }
  bool OpenedCapable(const Half& half) const;
  void AnswerConsumer(const AcceptChannel& accept);
  // "alice at 127.0.0.1:4022 -> projects/default/edge-1 tcp host:22".
  std::string Who() const;
  // `why` is for the records, the others are for the two halves.
  void End(const absl::Status& why, const absl::Status& consumer, const absl::Status& provider);
  void EndButPair(const absl::Status& why, const absl::Status& consumer,
                  const absl::Status& provider);
  void SetState(State to);
  void LogEnd() const;

  net::EventLoop& loop_;
  uint64_t id_;
  const OpenChannel open_;
  const std::optional<Resumption> resume_;
  const std::string peer_;
  std::string consumer_endpoint_;
  std::string provider_peer_;
  Half consumer_;
  Half provider_;
  SlotCounter::Slot opening_;
  SlotCounter::Slot held_;
  Quotas::Channel counted_;
  Owner& owner_;
  net::Timer timer_;
  State state_ = State::kWaiting;
  uint64_t session_id_ = 0;
  uint64_t provider_capabilities_ = 0;
  uint32_t resume_timeout_s_ = 0;
  culvert::v1::EndToEnd end_to_end_ = culvert::v1::END_TO_END_UNSPECIFIED;
  std::optional<Principal> accepted_by_;
  int redraws_ = 0;
  absl::Status said_error_;  // what the first Error that was passed on says
  Outcome outcome_;
  absl::Status end_status_;
  Lost lost_ = Lost::kNothing;
  std::unique_ptr<DataPlane::Pair> pair_;
  uint64_t provider_parked_id_ = 0;  // with it
  DataOwner consumer_process_;       // the same
  SlotCounter::Slot provider_slot_;  // the same
  const MonotonicTime started_;
  CarriedBytes earlier_;
  const MonotonicTime opening_deadline_;
};

}  // namespace culvert::broker
