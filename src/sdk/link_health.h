// Whether a connection to a broker is alive: when to ask, when to suspect it, when to give it up.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace culvert {

// Pure: it is told what was seen, and says what to do. The connection counts as dead when, after
// something of ours was not answered, the broker has taken a new TCP connection and for a while
// still nothing came over the old one; or after 20 s of silence. After an outage each direction
// waits for its sender's next retransmission, up to as long as the outage was: what has come back
// one way only is given up too.
//
// A broker that is slow is not taken for one that cannot be reached: its kernel acknowledges what
// it has not read. So what is not acknowledged counts after a second, an answer that does not come
// only after kAnswerTime, which doubles with every connection that was given up for that.
class LinkHealth {
 public:
  enum class State {
    kTrusted,
    kPinged,     // an answer is awaited
    kSuspected,  // it did not come, or the kernel cannot get rid of what we sent
  };
  enum class Action { kNone, kPing, kGiveUp };

  // What the kernel says of the connection.
  struct Tcp {
    bool unacknowledged = false;
    bool stalled = false;  // sent again and again, and still not acknowledged
    bool outstanding = false;
    MonotonicTime last_ack{};
    MonotonicTime last_data{};
    Duration round_trip{};
  };
  struct Evidence {
    MonotonicTime last_heard{};  // of the last message, or of the beginning of the connection
    uint64_t heard = 0;          // messages since then
    bool can_ping = false;       // somebody has a stream that answers pings
    std::optional<Tcp> tcp;      // none: the kernel tells nothing
  };

  // docs/protocol.md, "Liveness".
  static constexpr Duration kPingAfter = std::chrono::seconds(5);
  static constexpr Duration kSilence = std::chrono::seconds(20);
  // Where messages came and stop: in the middle of a transfer, or at its end.
  static constexpr Duration kPingAfterTraffic = std::chrono::seconds(1);
  static constexpr Duration kAnswerTime = std::chrono::milliseconds(1500);
  static constexpr Duration kMaxAnswerTime = std::chrono::seconds(12);
  // Without an acknowledgement: of a ping, sent because nothing came; of anything else.
  static constexpr Duration kPingAckTime = std::chrono::milliseconds(500);
  static constexpr Duration kAckTime = std::chrono::seconds(1);
  // From the broker's taking a new connection to the end of the old one; a round trip at least.
  static constexpr Duration kSettleTime = std::chrono::milliseconds(300);
  static constexpr Duration kMaxSettleTime = std::chrono::seconds(1);
  // A network that takes a new connection as fast as this, or not much slower than usual, has no
  // queue that an answer waits in.
  static constexpr Duration kQuick = std::chrono::milliseconds(200);
  static constexpr Duration kCheckWhileOutstanding = std::chrono::milliseconds(250);
  static constexpr Duration kCheckWhileWaiting = std::chrono::milliseconds(100);

  // A new connection. What was learnt of the broker's slowness stays.
  void Reset(MonotonicTime now);
  // Something was sent: look again within kCheckWhileOutstanding.
  void NoteWrite(MonotonicTime now) {
    if (!wrote_at_) wrote_at_ = now;
  }
  // There is reason to ask at once.
  void PingSoon() { urgent_ = true; }
  // A connection of its own to the broker that came about.
  struct Probe {
    MonotonicTime begun{};
    Duration took{};
    bool was_away = false;  // those before it did not
    Duration usual{};       // what a connect takes (ConnectTimes); 0 if not known
  };
  void OnProbeConnected(const Probe& probe);
  Action Check(const Evidence& evidence, MonotonicTime now);
  // When to Check again at the latest; none: after the next NoteWrite.
  std::optional<MonotonicTime> next_check() const { return next_check_; }
  State state() const { return state_; }
  // Of the last kGiveUp, for people.
  const std::string& why() const { return why_; }

 private:
  void NoteWakeUp(MonotonicTime now);
  void FollowTcp(const Evidence& evidence);
  std::optional<Duration> StuckFor(MonotonicTime now) const;
  static bool IsStalled(const Evidence& evidence) { return evidence.tcp && evidence.tcp->stalled; }
  void Trust(const Evidence& evidence);
  void Suspect(MonotonicTime now, bool unanswered);
  bool IsPingDue(const Evidence& evidence, MonotonicTime now) const;
  Action CheckTrusted(const Evidence& evidence, MonotonicTime now);
  void CheckPinged(const Evidence& evidence, MonotonicTime now);
  Action CheckSuspected(const Evidence& evidence, MonotonicTime now);
  bool HasMoved(const Evidence& evidence) const;
  Action GiveUp(std::string why);
  void PlanNext(const Evidence& evidence, MonotonicTime now);
  MonotonicTime QuietSince(const Evidence& evidence) const;

  State state_ = State::kTrusted;
  bool urgent_ = false;
  std::optional<MonotonicTime> wrote_at_;       // the first write since the last Check
  std::optional<MonotonicTime> pending_since_;  // unacknowledged, and no acknowledgement since
  MonotonicTime floor_{};                       // silence counts from here at the earliest
  MonotonicTime asked_at_{};                    // the last ping, or the beginning of the suspicion
  MonotonicTime pinged_at_{};
  uint64_t heard_then_ = 0;  // when asked
  uint64_t heard_at_ping_ = 0;
  bool unanswered_ = false;                  // suspected although the kernel got rid of it all
  std::optional<MonotonicTime> probed_at_;   // when the broker took a new connection
  std::optional<MonotonicTime> verdict_at_;  // what did not come by then does not come
  Duration settle_time_ = kSettleTime;       // after something moved
  bool outage_over_ = false;                 // then the broker could not be reached before
  Duration answer_time_ = kAnswerTime;
  std::optional<MonotonicTime> given_up_unanswered_;
  std::optional<MonotonicTime> next_check_;
  std::string why_;
};

}  // namespace culvert
