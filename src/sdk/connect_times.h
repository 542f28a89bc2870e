// How long a TCP connection to a broker usually takes to come about, and what is out of the usual.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace culvert {

// Pure. By way of a satellite every connect takes 600 ms: only what takes longer than that tells
// that the network was away.
class ConnectTimes {
 public:
  // No network is expected to be quicker than this.
  static constexpr Duration kQuick = std::chrono::milliseconds(200);
  // Of which nothing is known yet: a SYN without an answer is sent again after 1 s.
  static constexpr Duration kUnknown = std::chrono::seconds(1);
  static constexpr Duration kMostRoundTrip = std::chrono::seconds(2);

  void Note(Duration took) {
    last_[next_] = took;
    next_ = (next_ + 1) % last_.size();
  }
  // Of the connection that is in use, as the kernel measures it.
  void NoteRoundTrip(Duration round_trip) {
    if (round_trip > Duration::zero()) round_trip_ = std::min(round_trip, Duration(kMostRoundTrip));
  }

  // The quickest of the last three connects, or a round trip if that is longer; none if neither is
  // known.
  std::optional<Duration> usual() const {
    std::optional<Duration> quickest = std::nullopt;
    for (const std::optional<Duration>& took : last_) {
      if (took) quickest = quickest ? std::min(*quickest, *took) : *took;
    }
    return std::max(quickest, round_trip_);
  }
  // A connect that takes longer was held up.
  Duration limit() const {
    const std::optional<Duration> known = usual();
    return known ? std::max(Duration(kQuick), *known * 3 / 2) : Duration(kUnknown);
  }

 private:
  std::array<std::optional<Duration>, 3> last_;
  size_t next_ = 0;
  std::optional<Duration> round_trip_;
};

// A connection that is being made, while a connect of its own shows that the broker can be reached.
struct ConnectUnderWay {
  struct Socket {
    Duration quiet{};  // since the peer was heard last
    bool unacknowledged = false;
  };

  Duration age{};
  std::optional<Duration> waited;  // how long streams have waited for it
  bool was_away = false;           // the broker, meanwhile
  Duration usual{};                // ConnectTimes
  std::vector<Socket> sockets;     // of it that are connected
};

// One that has not come about for this long, or for twice the usual time, is stuck.
constexpr Duration ConnectTime(Duration usual) {
  return std::max(Duration(std::chrono::milliseconds(300)), 2 * usual);
}
// Not so one whose handshake has heard something within this.
constexpr Duration HandshakeQuiet(Duration usual) {
  return std::max(Duration(std::chrono::seconds(1)), 2 * usual);
}

// It began before the broker could be reached, or with an address that does not answer.
inline bool IsConnectStuck(const ConnectUnderWay& connect) {
  const Duration time = ConnectTime(connect.usual);
  if (connect.age < time) return false;
  if (!connect.was_away && (!connect.waited || *connect.waited < time)) return false;
  return std::none_of(connect.sockets.begin(), connect.sockets.end(),
                      [&](const ConnectUnderWay::Socket& socket) {
                        // TLS is under way, or the broker has taken the connection and is slow.
                        const bool heard = socket.quiet < HandshakeQuiet(connect.usual);
                        return heard || (!socket.unacknowledged && !connect.was_away);
                      });
}

}  // namespace culvert
