// Random runs of two Channels over paths that fail at every possible point. A thousand seeds here;
// scripts/soak-channel.sh runs a hundred thousand. CULVERT_SEED=n runs one seed, CULVERT_SEEDS=n
// that many.
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

}  // namespace
}  // namespace culvert::tunnel::testing
