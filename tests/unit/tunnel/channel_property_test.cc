// Random runs of two Channels over paths that fail. A thousand seeds here; scripts/soak-channel.sh
// runs a hundred thousand. CULVERT_SEED=n runs one seed, CULVERT_SEEDS=n that many.
#include <cstdlib>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/channel_simulation.h"

namespace culvert::tunnel::testing {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

// Runs all seeds and returns how many paths were lost on the way.
int RunSeeds(ChannelSimulation::Config config) {
  const uint64_t only = FromEnvironment("CULVERT_SEED", 0);
  const uint64_t seeds = FromEnvironment("CULVERT_SEEDS", 1000);
  int paths_lost = 0;
  for (uint64_t seed = only ? only : 1; seed <= (only ? only : seeds); ++seed) {
    config.seed = seed;
    ChannelSimulation simulation(config);
    simulation.Run();
    paths_lost += simulation.paths_lost();
  }
  return paths_lost;
}

TEST_CASE("Two Channels carry every byte and end alike when paths fail at any point",
          "[channel][slow]") {
  const int paths_lost = RunSeeds({});
  CHECK((paths_lost > 1000 || std::getenv("CULVERT_SEED") != nullptr));
}

TEST_CASE("Two Channels carry every byte over a path that never fails", "[channel]") {
  CHECK(RunSeeds({.with_faults = false, .with_aborts = false}) == 0);
}

TEST_CASE("Two Channels carry every byte when the process has almost no memory",
          "[channel][slow]") {
  CHECK_NOTHROW(RunSeeds({.max_bytes = 100'000, .memory_limit = 1}));
}

TEST_CASE("Two Channels carry every byte when other channels take and give back memory",
          "[channel][slow]") {
  CHECK_NOTHROW(RunSeeds({.with_neighbours = true, .memory_limit = 400'000}));
}

TEST_CASE("Two Channels end alike when an application is done with both directions",
          "[channel][slow]") {
  CHECK_NOTHROW(RunSeeds({.with_finish = true}));
}

TEST_CASE("Two Channels that take each other for legacy peers lose nothing before a Close",
          "[channel][legacy][slow]") {
  CHECK_NOTHROW(RunSeeds({.with_finish = true, .legacy = true}));
}

TEST_CASE("Two Channels carry every byte wherever a short transfer is cut", "[channel][slow]") {
  // Multiples of five have no random faults, so that nothing but the cut differs from run to run.
  const uint64_t only = FromEnvironment("CULVERT_SEED", 0);
  const uint64_t seeds = FromEnvironment("CULVERT_SEEDS", 1000) / 5;
  int runs = 0;
  for (uint64_t seed = only ? only : 5; seed <= (only ? only : seeds); seed += 5) {
    ChannelSimulation::Config config{.seed = seed, .max_bytes = 3000, .with_aborts = false};
    ChannelSimulation whole(config);
    whole.Run();
    for (int step = 0; step < whole.steps(); ++step, ++runs) {
      config.cut_at_step = step;
      ChannelSimulation cut(config);
      cut.Run();
    }
  }
  CHECK(runs > 0);
}

}  // namespace
}  // namespace culvert::tunnel::testing
