// One end of a channel: a reliable, ordered, resumable, flow-controlled stream in each direction,
// carried by one path at a time (docs/protocol.md). A pure state machine: no I/O, no clock, no
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "tunnel/memory_budget.h"
#include "tunnel/message.h"
#include "tunnel/receive_window.h"
#include "tunnel/round_trip.h"
#include "tunnel/send_window.h"

namespace culvert::tunnel {

// How a channel ended.
struct Outcome {
  bool clean =
      false;  // both directions completed in order; otherwise the local socket is to be reset
  ErrorCode code = ErrorCode::kUnspecified;
  std::string message;
  bool by_peer = false;  // the peer's Error, not ours

  // "closed" or "connection refused: dial 127.0.0.1:22: connection refused".
  std::string ToString() const;
};

// The owner feeds it what comes from the path and from the local side, and after each call asks
// what is to be done: NextMessage() while the path takes messages, NextDelivery() while the local
// side is idle, SendRoom() before reading the local side, deadline() for its timer, state() for the
// end. Nothing is called back, so the owner may destroy it at any time. Confined to one thread.
class Channel {
 public:
  enum class State {
    kOpen,      // carries data, or would if it had a path
    kClosing,   // both directions are done; a Close is to be sent or acknowledged
    kAborting,  // an Error is to be sent or acknowledged
    kEnded,     // outcome() is final; nothing is sent, nothing is taken
  };

  struct Options {
    uint64_t id = 0;                                      // for logs
    uint64_t peer_capabilities = 0;                       // 0: legacy
    uint64_t peer_window = 0;                             // its first grant to us
    uint64_t own_window = ReceiveWindow::kInitialWindow;  // our first grant to it
  };

  // `budget` outlives the channel.
  Channel(const Options& options, MemoryBudget& budget);

  // --- paths ---

  // Puts the channel on a path. `attempt` must be higher than every one before (INVALID_ARGUMENT
  // otherwise, nothing changes); `peer_last_id` is the last id that the peer received,
  // `peer_window` its grant beyond that. What the peer has not received is sent again. If that is
  // impossible the channel turns to kAborting and tells the peer. FAILED_PRECONDITION when ended.
  absl::Status Attach(uint32_t attempt, uint64_t peer_last_id, std::optional<uint64_t> peer_window,
                      MonotonicTime now);
  // The path is lost. A channel whose end both sides know is over with that, as is one that has
  // sent or received an Error; any other is suspended.
  void Detach();
  bool attached() const { return attached_; }
  // Waits for a path. Not so a channel that only has to deliver what came before a legacy Close.
  bool suspended() const {
    return !attached_ && state_ != State::kEnded && attempt_ > 0 && peer_stop_ == PeerStop::kNone;
  }
  uint32_t attempt() const { return attempt_; }

  // Whether everything after `peer_last_id` can be sent again. Attach fails where it cannot.
  bool Keeps(uint64_t peer_last_id) const {
    return peer_stop_ != PeerStop::kNone || peer_last_id >= send_.acked_id();
  }

  // What a resume states to the peer.
  uint64_t last_received_id() const { return receive_.last_id(); }
  uint64_t window() const { return receive_.GrantBeyondLast(); }

  // A legacy peer that is held is not read, so that its end would not be seen either. Every so
  // often it is sent its last Ack again: a path that has ended does not take it, and its owner then
  // reads what is left.
  static constexpr Duration kProbeTime = std::chrono::seconds(5);

  enum class PathVerdict { kOk, kBreakPath };
  // A message that path `attempt` carried here; one of an older attempt is ignored. kBreakPath: the
  // path lost something; drop it and Detach.
  [[nodiscard]] PathVerdict OnMessage(uint32_t attempt, Message message, MonotonicTime now);
  // Whether the path should be read. False only for a legacy peer whose last message was not taken.
  bool WantsMessages() const;

  // The next message for the path, taken out: it counts as sent. Acks first, then the rest in
  // order.
  std::optional<Message> NextMessage(MonotonicTime now);
  // When NextMessage may have something that it has not now (a delayed Ack, a probe).
  std::optional<MonotonicTime> deadline() const;

  // --- the local side ---

  // Bytes that Send takes now. 0: do not read the local side (window full, suspended or ending).
  size_t SendRoom() const;
  // At most SendRoom(). Nothing is sent for no bytes.
  void Send(Bytes bytes);
  // The local side ended its direction. A legacy peer has no half-close: kept back until it closes.
  // `last`, at most kMaxFreeEndBytes, travels with the end; a legacy peer gets none.
  void FinishSending(Bytes last = Bytes());
  // The local side is done with both directions: whatever the peer still sends is dropped.
  void Finish(Bytes last = Bytes());
  bool finished_sending() const { return finishing_ != Finishing::kNo; }

  struct Delivery {
    Bytes bytes;       // may be empty when `end`
    bool end = false;  // after the bytes, the peer's direction has ended (FIN)
  };
  // What the local side is to take next. One at a time: nothing until Delivered() for the last one.
  std::optional<Delivery> NextDelivery(MonotonicTime now);
  // The local side took the delivery (bytes written, direction shut down). Ignored after an abort.
  void Delivered(MonotonicTime now);

  // Ends the channel in both directions at once. Nothing when it is ending already. The peer hears
  // `told` in the place of `message` if there is one.
  void Abort(ErrorCode code, std::string message, std::optional<std::string> told = std::nullopt);
  // Ends the channel here and now without telling the peer: there is no path any more and none will
  // come (the other end finds out by itself). A legacy peer that has closed needs none: what came
  // before its Close is delivered first, and that is the end.
  void GiveUp(ErrorCode code, std::string message);
  // A resume was answered with "ended": `last_id` is the last id that the peer received before it
  // ended in order (`code` kEnded), or `code` says why it aborted.
  void OnPeerEnded(ErrorCode code, uint64_t last_id);

  // --- what it is ---

  State state() const { return state_; }
  const Outcome& outcome() const { return outcome_; }
  // Nothing more comes for the local side, and how it ends for it is known: clean() or outcome().
  // The peer may still have to hear or confirm the end. A Close that waits behind data for a legacy
  // peer is not there yet: the peer confirms nothing, so what is unsent is not known to arrive.
  bool local_done() const {
    return state_ == State::kAborting || state_ == State::kEnded ||
           (state_ == State::kClosing && (!legacy_ || peer_stop_ != PeerStop::kNone));
  }
  // Once local_done(): whether both directions completed in order.
  bool clean() const { return state_ == State::kClosing || outcome_.clean; }
  bool legacy() const { return legacy_; }
  uint64_t id() const { return options_.id; }
  // Payload bytes, for logs and metrics: appended by Send; handed to the local side.
  uint64_t bytes_sent() const { return bytes_sent_; }
  uint64_t bytes_delivered() const { return bytes_delivered_; }
  uint64_t held() const { return budget_.used(); }
  uint64_t unacknowledged() const { return send_.held(); }
  uint64_t unacknowledged_bytes() const { return send_.held_bytes(); }
  uint64_t receive_held() const { return receive_.held(); }
  uint64_t receive_window() const { return receive_.window(); }
  // What the peer has granted beyond what it acknowledged.
  uint64_t send_window() const { return send_.granted(); }
  // Of the path; nothing before a message was acknowledged on it.
  std::optional<Duration> round_trip() const { return round_trip_.smallest(); }

 private:
  enum class Finishing { kNo, kSending, kBoth };
  enum class PeerEnd { kOpen, kReceived, kDelivered };
  enum class PeerStop { kNone, kClose, kError };  // what the peer ended the channel with

  void Fail(ErrorCode code, std::string message, std::optional<std::string> told = std::nullopt);
  void HandleData(Data data, MonotonicTime now);
  void HandleClose();
  void HandleError(const Error& error);
  void HandleAck(const Ack& ack);
  void TakeSilently(MonotonicTime now);
  void AfterTaken();
  bool HoldsLegacyPeer() const;
  // After our Error nothing is sent, no ack either, but the ack of the peer's.
  bool AcksAllowed() const { return state_ != State::kAborting || peer_stop_ == PeerStop::kError; }
  bool OwnDirectionDone() const;
  bool BothDirectionsKnown() const;
  void MaybeClose();
  void EndClean();
  void End();
  void SetState(State to);
  void UpdateBudget();

  const Options options_;
  const bool legacy_;
  MemoryBudget::Member budget_;
  SendWindow send_;
  ReceiveWindow receive_;
  RoundTrip round_trip_;
  State state_ = State::kOpen;
  Outcome outcome_;
  bool attached_ = false;
  uint32_t attempt_ = 0;
  Finishing finishing_ = Finishing::kNo;
  uint64_t end_id_ = 0;  // our end_of_stream (0: none appended)
  PeerEnd peer_end_ = PeerEnd::kOpen;
  PeerStop peer_stop_ = PeerStop::kNone;
  MonotonicTime probe_at_{};  // while a legacy peer is held
  uint64_t bytes_sent_ = 0;
  uint64_t bytes_delivered_ = 0;
};

std::string_view StateName(Channel::State state);

}  // namespace culvert::tunnel
