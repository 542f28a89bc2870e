// What a running agent or forwarder says of itself to whoever asks with `status`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "culvert/channel_status.h"

namespace culvert::config {

struct ProcessStatus {
  enum class State {
    kRunning,
    kHandedOver,  // another process has taken over; the channels end here
    kDraining,
  };

  std::string program;
  std::string command;
  State state = State::kRunning;
  pid_t pid = 0;
  std::string version;
  Duration age{0};
  std::string name;
  std::string project;
  std::string broker;
  std::optional<bool> broker_reached;  // none: not tried yet
  Duration broker_since{0};
  bool is_agent = false;
  uint64_t session_id = 0;  // 0: none
  uint64_t memory_used = 0;
  uint64_t memory_limit = 0;
  std::vector<ChannelStatus> channels;
};

// What a ClientCore knows of it. (This folder may not include the SDK's.)
template <class Core>
ProcessStatus ProcessStatusOf(Core& core, MonotonicTime now) {
  ProcessStatus status;
  status.name = core.options().name;
  status.project = core.options().project;
  const auto& use = core.broker_use();
  using Use = std::decay_t<decltype(use)>;
  status.broker = use.address();
  status.broker_since = now - use.since();
  if (use.state() != Use::State::kUntried) {
    status.broker_reached = use.state() == Use::State::kReached;
  }
  status.memory_used = core.budget().used();
  status.memory_limit = core.budget().limit();
  return status;
}

// One JSON object, as culvert(1) documents it; the oldest channel first.
std::string StatusJson(ProcessStatus status);

// The same object for people, from what another process has said: whatever that is.
// INVALID_ARGUMENT for what is no object.
absl::StatusOr<std::string> StatusText(const std::string& json);
// On one line, with nothing in it that a terminal would take for a command. INVALID_ARGUMENT for
// what is no object.
absl::StatusOr<std::string> StatusLine(const std::string& json);

}  // namespace culvert::config
