// The sending half of a channel: ids, what the peer has not acknowledged, and how much may be sent.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "tunnel/message.h"

namespace culvert::tunnel {

// Keeps every message until the peer acknowledges it, so that a new path can carry it again.
// Confined to the channel's thread; no I/O.
class SendWindow {
 public:
  // kLegacy: the peer's acks are not waited for, one message is in flight (the path's own flow
  // control holds us) and the oldest messages are dropped once more than kLegacyKept, or the
  // process's share if that is less, is held.
  enum class Peer { kCapable, kLegacy };
  static constexpr uint64_t kLegacyKept = uint64_t{256} * 1024;
  // What an empty window has room for however small the grant is, so that nothing can get stuck.
  static constexpr uint64_t kEmptyWindowRoom = 4096;

  SendWindow(Peer peer, uint64_t initial_grant);

  // Payload bytes that Append may be given now; `share` is the process's own limit for this
  // channel. 0 = wait.
  size_t Room(uint64_t share) const;

  // Gives `bytes` the next id. At most kMaxDataBytes. `end_of_stream` needs no room. `share` also
  // bounds what is kept for a legacy peer.
  void Append(Bytes bytes, bool end_of_stream, uint64_t share);
  void AppendClose();
  // Drops what was not yet handed to the path and puts an Error in its place. Once. A legacy peer
  // is told `text`, or the words of `code` if it is empty, without a code.
  void Abort(ErrorCode code, std::string text);
  // The same on a path whose peer states an id that Resume cannot go on from: nothing but an Error
  // with the id that the peer expects is left.
  void AbortAfter(uint64_t last_id, ErrorCode code, std::string text);
  // Forgets everything: the peer aborted, nothing more is sent.
  void Drop();

  // Messages not yet handed to the current path, in order.
  bool HasNext() const { return handed_ < entries_.size(); }
  // Whether the next one is an end of stream.
  bool NextIsEnd() const;
  Message TakeNext();

  // Everything up to `id` was taken. INVALID_ARGUMENT (a protocol error): an id that was never
  // sent. Stale acks are fine.
  absl::Status OnAck(uint64_t id, std::optional<uint64_t> window);

  // A new path: the peer has received everything up to `last_id`; the rest is sent again.
  // OUT_OF_RANGE if some of it is no longer kept, INVALID_ARGUMENT if `last_id` was never sent.
  absl::Status Resume(uint64_t last_id, std::optional<uint64_t> window);

  // Cost of what is held.
  uint64_t held() const { return tail_ - acked_; }
  // What the peer has granted beyond what it acknowledged.
  uint64_t granted() const { return limit_ > acked_ ? limit_ - acked_ : 0; }
  uint64_t held_bytes() const { return held_bytes_; }
  uint64_t last_id() const { return next_id_ - 1; }
  uint64_t acked_id() const { return next_id_ - 1 - entries_.size(); }
  bool all_acked() const { return entries_.empty(); }
  // The last id that a path carried, and that was not replaced by an Error since.
  uint64_t sent_id() const { return sent_id_; }
  // Whether an Error was appended and has been handed to the current path.
  bool error_handed() const { return aborted_ && !HasNext(); }

 private:
  struct Entry {
    Message message;
    uint64_t end = 0;  // position after this message: cost of everything up to it
  };

  void Push(Message message, uint64_t cost);
  void TruncateAfter(size_t kept);
  void DropFront();
  void DropOldestLegacy();
  void RaiseLimit(uint64_t base, std::optional<uint64_t> window);

  const Peer peer_;
  std::deque<Entry>
      entries_;  // unacknowledged, contiguous ids; the first `handed_` are on the path
  size_t handed_ = 0;
  uint64_t next_id_ = 1;
  uint64_t sent_id_ = 0;
  // Positions count cost from the start of the direction.
  uint64_t acked_ = 0;
  uint64_t tail_ = 0;
  uint64_t limit_;             // the peer granted up to here; never falls
  uint64_t ack_asked_at_ = 0;  // legacy: position of the last message with ack_required
  uint64_t kept_ = kLegacyKept;
  uint64_t held_bytes_ = 0;
  bool aborted_ = false;
};

}  // namespace culvert::tunnel
