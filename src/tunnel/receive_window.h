// The receiving half of a channel: order, what waits for the local side, acknowledgements and
// grants.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "tunnel/message.h"

namespace culvert::tunnel {

// Confined to the channel's thread; no I/O. Ids are checked by Admit, the rest is told what to
// hold.
//
// Grants: the window starts at `initial_window`, and doubles while a larger one would carry more:
// at most once per window's worth of data taken (so at most once a round trip), only while the
// local side keeps up, and only up to twice the measured bandwidth times delay.
class ReceiveWindow {
 public:
  enum class Peer { kCapable, kLegacy };

  static constexpr uint64_t kInitialWindow = uint64_t{256} * 1024;
  static constexpr uint64_t kMaxWindow = uint64_t{16} * 1024 * 1024;
  // A channel whose local side stood still for a second falls back to this.
  static constexpr uint64_t kStalledWindow = uint64_t{1024} * 1024;
  static constexpr Duration kStallTime = std::chrono::seconds(1);
  // An Ack that nobody waits for is held back this long, so that one answers many messages.
  static constexpr Duration kAckDelay = std::chrono::milliseconds(25);
  static constexpr Duration kLegacyAckDelay = std::chrono::milliseconds(200);

  ReceiveWindow(Peer peer, uint64_t initial_window);

  enum class Verdict { kNew, kDuplicate, kGap };
  // Classifies `id`; kNew makes it the last received one.
  Verdict Admit(uint64_t id);

  // Whether the peer's grant covers `data` (an empty window covers one message of any size).
  bool WithinGrant(const Data& data) const;
  // Holds a message that Admit called new, until TakeNext and then Taken.
  void Hold(Data data, MonotonicTime now);

  // The next message for the local side; one at a time: none while one is taken and not yet
  // Taken().
  bool HasNext() const { return !taking_ && !held_.empty(); }
  const Data& BeginTaking(MonotonicTime now);
  // The local side took it. `share` and `may_grow` are the process's limits for new grants.
  void Taken(MonotonicTime now, uint64_t share, bool may_grow);
  // Forgets what is held (an abort).
  void Drop();

  // Makes an Ack due at once: a duplicate came, a Close or Error was taken, a path is new.
  void AckNow() { ack_due_ = AckDue::kNow; }
  // The same if one is held back.
  void HastenAck() {
    if (ack_due_ == AckDue::kDelayed) ack_due_ = AckDue::kNow;
  }
  // Something else tells the peer that all was taken.
  void ForgetAck() { ack_due_ = AckDue::kNo; }
  // The Ack to send, if one is due at `now`; also when the deadline has passed.
  std::optional<Ack> TakeAck(MonotonicTime now);
  bool AckIsDue(MonotonicTime now) const;
  std::optional<MonotonicTime> ack_deadline() const;

  // The grant beyond last_id(), as a resume states it.
  uint64_t GrantBeyondLast() const { return granted_ > received_ ? granted_ - received_ : 0; }
  // A new path has another round trip.
  void OnNewPath();

  uint64_t last_id() const { return last_id_; }
  // The id of the last Ack that was handed out.
  uint64_t acked_id() const { return acked_id_; }
  uint64_t held() const { return received_ - taken_; }
  uint64_t window() const { return window_; }
  bool taking() const { return taking_; }
  // The id that was last admitted counts as taken: for Close and Error, which nothing delivers.
  void TakeWithoutDelivery() { taken_id_ = last_id_; }

 private:
  enum class AckDue { kNo, kDelayed, kNow };

  void Grow(MonotonicTime now, uint64_t share, bool may_grow);
  void ScheduleAck(const Data& taken, MonotonicTime now);

  const Peer peer_;
  std::deque<Data> held_;
  bool taking_ = false;
  MonotonicTime taking_since_{};

  uint64_t last_id_ = 0;   // received
  uint64_t taken_id_ = 0;  // taken by the local side
  uint64_t acked_id_ = 0;
  // Positions count cost from the start of the direction.
  uint64_t received_ = 0;
  uint64_t taken_ = 0;
  uint64_t granted_;   // as promised or about to be
  uint64_t reported_;  // granted_ when the last Ack was sent
  uint64_t taken_reported_ = 0;
  uint64_t window_;

  AckDue ack_due_ = AckDue::kNo;
  MonotonicTime ack_deadline_{};

  // Round trip: from an Ack that raised the grant to the first message beyond the old grant.
  std::optional<Duration> min_rtt_;
  std::optional<uint64_t> rtt_mark_;
  MonotonicTime rtt_mark_at_{};
  // Bandwidth: over one window's worth of taken data.
  uint64_t epoch_taken_ = 0;
  std::optional<MonotonicTime> epoch_start_;
};

}  // namespace culvert::tunnel
