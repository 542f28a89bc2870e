// Two Channels joined by a link with a delay and a bandwidth, in simulated time: one end sends all
// that it may, the other reads at a rate that the test sets.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>

#include "tunnel/channel.h"

namespace culvert::tunnel::testing {

class TimedTransfer {
 public:
  static constexpr double kUnlimited = std::numeric_limits<double>::infinity();

  struct Config {
    Duration delay{};                       // one way
    double bytes_per_second = kUnlimited;   // of the link, each way
    double reader_per_second = kUnlimited;  // of the receiver's local side
    uint64_t window = ReceiveWindow::kInitialWindow;
    uint64_t memory_limit = MemoryBudget::kDefaultLimit;
  };

  explicit TimedTransfer(const Config& config);

  void RunFor(Duration duration);
  // The local reader takes nothing until Resume.
  void StallReader() { reader_stalled_ = true; }
  void ResumeReader();
  // Both ends lose the path and are on a new one at once.
  void Reconnect();

  Channel& sender() { return sender_; }
  Channel& receiver() { return receiver_; }
  MemoryBudget& receiver_budget() { return receiver_budget_; }
  uint64_t delivered() const { return receiver_.bytes_delivered(); }

 private:
  struct Line {
    Channel& from;
    Channel& to;
    MonotonicTime free_at{};
  };

  void At(MonotonicTime when, std::function<void()> what);
  void Pump();
  void PumpLine(Line& line);
  void Fill();
  void Read();
  void FinishRead();
  Duration TimeFor(size_t bytes, double per_second) const;

  const Config config_;
  MonotonicTime now_{};
  MemoryBudget sender_budget_;
  MemoryBudget receiver_budget_;
  Channel sender_;
  Channel receiver_;
  Line forth_{sender_, receiver_};
  Line back_{receiver_, sender_};
  std::multimap<MonotonicTime, std::function<void()>> events_;
  bool reader_stalled_ = false;
  bool reading_ = false;
  bool read_is_over_ = false;
};

}  // namespace culvert::tunnel::testing
