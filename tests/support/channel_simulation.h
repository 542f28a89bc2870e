// Two Channels joined by in-memory paths that are cut, lose, repeat and deliver late, driven by one
// seed. Everything that the protocol promises is checked on the way; Run() throws
// std::runtime_error with the reason on the first violation.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "tests/support/channel_simulation_wire.h"
#include "tunnel/channel.h"
#include "tunnel/tombstones.h"

namespace culvert::tunnel::testing {

// One end of the channel and the application beside it.
struct SimulatedEnd {
  SimulatedEnd(const Channel::Options& options, uint64_t memory_limit)
      : budget(memory_limit),
        channel(std::make_unique<Channel>(options, budget)),
        wire(channel->legacy()) {}

  // What the channel may hold per direction, as the budget has it now.
  uint64_t Share() const;
  uint64_t HeldByNeighbours() const;

  MemoryBudget budget;
  std::vector<std::unique_ptr<MemoryBudget::Member>> neighbours;  // channels beside this one
  std::unique_ptr<Channel> channel;
  WireCheck wire;
  Tombstones tombstones;
  std::string input;        // what the application will write
  size_t written = 0;       // how much of it the channel took
  std::string output;       // what the application read
  bool saw_end = false;     // the application read EOF
  bool reset = false;       // the application was reset
  bool delivering = false;  // a delivery is with the application
  bool gone = false;        // the application wants nothing more: Finish() was called
  std::optional<Outcome> outcome;
};

// What a path carries besides channel messages: the provider's answer to a resume.
struct ResumeResponse {
  uint64_t last_id;
  uint64_t window;
};
using Carried = std::variant<Message, ResumeResponse>;

struct SimulatedPath {
  uint32_t attempt = 0;
  bool alive = true;
  std::deque<Carried> to_consumer;
  std::deque<Carried> to_provider;
};

class ChannelSimulation {
 public:
  static constexpr uint64_t kChannelId = 7;

  struct Config {
    uint64_t seed = 1;
    size_t max_bytes = 300'000;  // each way, at most
    bool with_faults = true;
    bool with_aborts = true;
    bool with_finish = false;      // applications may be done with both directions
    bool with_neighbours = false;  // other channels come, go and fill the budget
    bool legacy = false;           // both ends take each other for legacy peers
    int cut_at_step = -1;          // the path is cut just before this step
    uint64_t memory_limit = MemoryBudget::kDefaultLimit;
  };

  explicit ChannelSimulation(const Config& config);
  ~ChannelSimulation();

  // To the end of the channel at both ends.
  void Run();

  const SimulatedEnd& consumer() const { return consumer_; }
  const SimulatedEnd& provider() const { return provider_; }
  int paths_lost() const { return paths_lost_; }
  int steps() const { return steps_; }

 private:
  enum class Side { kConsumer, kProvider };

  void Step();
  void AdvanceSide(Side side);
  void Write(SimulatedEnd& end);
  void EndWriting(SimulatedEnd& end);
  void ChangeNeighbours(SimulatedEnd& end);
  void Deliver(SimulatedEnd& end);
  void HandOver(Side side);
  void Arrive(Side side);
  void ArriveMessage(SimulatedEnd& end, const Message& message);
  void InjectFault();
  void CutPath();
  void DeliverLate();
  void Reconnect();
  void AnswerResume();
  void MaybeAbort(SimulatedEnd& end);
  void NoteEnd(SimulatedEnd& end);
  void CheckMemory(const SimulatedEnd& end) const;
  void CheckResult() const;
  void CheckClean(const SimulatedEnd& here, const SimulatedEnd& there) const;
  void CheckLegacy(const SimulatedEnd& here, const SimulatedEnd& there) const;

  SimulatedEnd& end(Side side) { return side == Side::kConsumer ? consumer_ : provider_; }
  std::deque<Carried>& Inbox(Side side);
  std::deque<Carried>& Outbox(Side side);
  bool Chance(int percent);
  size_t Pick(size_t below);
  [[noreturn]] void Fail(const std::string& what) const;

  Config config_;
  std::mt19937_64 random_;
  MonotonicTime now_{};
  SimulatedEnd consumer_;
  SimulatedEnd provider_;
  SimulatedPath path_;
  std::vector<SimulatedPath> old_paths_;
  int fault_percent_;
  int paths_lost_ = 0;
  int steps_ = 0;
};

}  // namespace culvert::tunnel::testing
