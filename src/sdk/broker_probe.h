// Finds out, by TCP connects of its own, that a broker can be reached again.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "base/clock.h"
#include "net/address.h"
#include "net/dialer.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/timer.h"
#include "sdk/connect_times.h"

namespace culvert {

// Confined to the loop; destroy = stop. While it is wanted, a connect begins every 250 ms, later
// more rarely, whatever became of those before: a SYN that was lost is sent again by the kernel
// only after seconds. Connections are closed at once, without a byte.
class BrokerProbe {
 public:
  struct Success {
    MonotonicTime begun;
    Duration took;
    std::string address;  // "192.0.2.1:7400"
    // It took longer than usual, or connects that began earlier failed or have not come through.
    bool was_away;
    Duration usual;  // ConnectTimes; `took` if nothing was known before
  };

  static constexpr Duration kInterval = std::chrono::milliseconds(250);
  static constexpr Duration kMaxInterval = std::chrono::seconds(5);
  static constexpr Duration kLimit = std::chrono::seconds(2);  // of one connect
  static constexpr size_t kMostUnderWay = 8;

  // `address` is "host:port". `on_success` must not destroy the probe.
  BrokerProbe(net::EventLoop& loop, const std::string& address,
              std::function<void(const Success&)> on_success);
  ~BrokerProbe();
  BrokerProbe(const BrokerProbe&) = delete;
  BrokerProbe& operator=(const BrokerProbe&) = delete;

  void SetWanted(bool wanted);
  // One connect now, if it is wanted.
  void ProbeNow();
  // Of a connection to it that is in use.
  void NoteRoundTrip(Duration round_trip) { times_.NoteRoundTrip(round_trip); }
  // What a connect usually takes; 0 if not known.
  Duration usual() const { return times_.usual().value_or(Duration::zero()); }
  // The broker's, as far as they are known; asks for them when there are none, or none answers.
  const std::vector<net::Address>& Addresses();
  bool is_name() const { return is_name_; }

  // Between connects to what has been away for so long; without jitter.
  static Duration IntervalAfter(Duration away);

 private:
  struct Attempt {
    MonotonicTime begun;
    std::unique_ptr<net::Dial> dial;
  };
  void Next();
  void Begin();
  void HandleDone(std::list<Attempt>::iterator attempt,
                  absl::StatusOr<std::unique_ptr<net::TcpStream>> result);
  void Resolve();

  net::EventLoop& loop_;
  std::string host_;
  uint16_t port_ = 0;
  bool is_name_ = false;
  const std::function<void(const Success&)> on_success_;
  std::vector<net::Address> addresses_;
  std::optional<MonotonicTime> resolved_;  // when it was last asked for
  std::optional<net::Resolution> resolution_;
  bool wanted_ = false;
  MonotonicTime away_since_{};
  bool failed_ = false;        // since the last success
  Duration after_success_{0};  // the interval, while they succeed
  ConnectTimes times_;
  std::list<Attempt> attempts_;  // in the order in which they began
  net::Timer timer_;
  absl::InsecureBitGen random_;
};

}  // namespace culvert
