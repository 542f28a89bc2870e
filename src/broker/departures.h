// Tells programs that have died from networks that have.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "broker/audit_event.h"
#include "broker/recent_ids.h"

namespace culvert::broker {

// A crash has lost the local sockets of a program, whereas a lost network is to be waited out. The
// broker sees a TCP connection end either way, but a dead program's is closed at once by its
// kernel, and nobody notices that a network is silent before 8 s have gone by. And a program that
// lives comes back at once. So whoever closes a connection that was just heard of, and does not
// come back, is gone: docs/adr/0011. Pure: it is told what happens, and when. Confined to the
// control loop.
class Departures {
 public:
  struct Times {
    Duration return_time = std::chrono::seconds(5);
    // A connection that was not heard of for so long fell silent, it was not closed.
    Duration fresh = std::chrono::seconds(7);
    // From the first sign that others reach the broker: if nobody does, it is the broker that is
    // cut off, and they need not come back all at once.
    Duration settle = std::chrono::seconds(2);
    // A broker younger than this sees them all come, and maybe go to another one: nobody is gone.
    Duration young = std::chrono::seconds(15);
  };
  // The streams of one connection end within this.
  static constexpr Duration kTogether = std::chrono::seconds(2);
  // What is read after a loss may have been sent before it.
  static constexpr Duration kStragglers = std::chrono::milliseconds(200);
  // How often is looked whether somebody can be heard.
  static constexpr Duration kLookAgain = std::chrono::milliseconds(500);
  // More endpoints than these that close within return_time: something on the way did it.
  static constexpr size_t kMostAtOnce = 16;
  // For how long, and how many, it is remembered who is gone.
  static constexpr Duration kRemembered = std::chrono::minutes(10);
  static constexpr size_t kMostRemembered = 4'096;

  // One TCP connection of a client. It counts as closed when it has no stream.
  class Endpoint {
   public:
    void Heard(MonotonicTime now) {
      heard_ = now;
      owner_.NoteSign(now - kStragglers, now);
    }

   private:
    friend class Departures;
    Endpoint(Departures& owner, std::string name, MonotonicTime now)
        : owner_(owner), name_(std::move(name)), heard_(now) {}

    Departures& owner_;
    const std::string name_;
    size_t streams_ = 0;
    MonotonicTime heard_;
    MonotonicTime closed_{};
    bool at_stake_ = false;  // something was lost with it
  };

  // What somebody had who is gone.
  struct Gone {
    uint64_t session_id = 0;
    uint64_t channel_id = 0;  // 0: the agent is gone, with its session. Else the channel's user
    AuditEvent who = {};      // who it was, for the record
    size_t channels = 0;      // of an agent: how many lost their paths with it
  };

  Departures(const Times& times, MonotonicTime now) : times_(times), born_(now) {}
  Departures(const Departures&) = delete;
  Departures& operator=(const Departures&) = delete;

  // A stream of the connection "127.0.0.1:4022" has begun, or ended.
  std::shared_ptr<Endpoint> Enter(const std::string& endpoint, MonotonicTime now);
  void Leave(const std::shared_ptr<Endpoint>& endpoint, MonotonicTime now);

  // A stream of `endpoint` was ended by its client, or with the connection; the channel, or the
  // session, can be resumed. Maybe the connection has closed: that shows within kTogether.
  void UserLost(const std::string& endpoint, uint64_t session_id, uint64_t channel_id,
                MonotonicTime now, AuditEvent who = {});
  // With `channels` of its channels.
  void AgentLost(const std::string& endpoint, uint64_t session_id, MonotonicTime now,
                 AuditEvent who = {}, size_t channels = 0);
  // It is resumed, or somebody tries to.
  void Back(uint64_t id) { waiting_.erase(id); }

  // When to call Judge; none: there is nothing to wait for.
  std::optional<MonotonicTime> next_verdict() const;
  std::vector<Gone> Judge(MonotonicTime now);
  // The channel, or session, must not be resumed any more.
  void Remember(uint64_t id, MonotonicTime now) { gone_.Add(id, now); }
  bool IsGone(uint64_t id, MonotonicTime now) { return gone_.Has(id, now); }
  // The broker drains: whoever leaves does as told.
  void Stop();

 private:
  struct Waiting {
    Gone what;
    std::shared_ptr<Endpoint> endpoint;
    MonotonicTime lost;
    uint64_t number;  // of the loss: a later one has another
  };
  struct Due {
    MonotonicTime at;
    MonotonicTime lost;
    uint64_t id;
    uint64_t number;
  };

  void Lost(const std::string& endpoint, Gone what, MonotonicTime now);
  void NoteSign(MonotonicTime lost_before, MonotonicTime now);
  void CountClosing(MonotonicTime now);
  void ForgetClosed(MonotonicTime now);
  bool HasClosed(const Waiting& waiting) const;

  const Times times_;
  const MonotonicTime born_;
  bool stopped_ = false;
  std::unordered_map<std::string, std::shared_ptr<Endpoint>> endpoints_;
  // Had no stream any more at that time. What was lost with the last one may be told after it, and
  // maybe only the streams have ended and the next one is coming.
  std::deque<std::pair<MonotonicTime, std::shared_ptr<Endpoint>>> closed_;
  std::deque<MonotonicTime> closings_;  // the last ones, at most kMostAtOnce + 1
  std::optional<MonotonicTime> many_;   // when the last of too many closed
  uint64_t losses_ = 0;
  std::unordered_map<uint64_t, Waiting> waiting_;
  std::deque<Due> due_;  // in order of time
  size_t signs_ = 0;     // the first so many of them were lost before others were heard
  RecentIds gone_{kRemembered, kMostRemembered};
};

}  // namespace culvert::broker
