// A channel that is open now, as administrators see it.
#pragma once

#include <cstdint>
#include <string>

#include "base/wall_time.h"

namespace culvert::broker {

struct LiveChannel {
  // A list has no more than these.
  static constexpr size_t kMost = 16'384;

  uint64_t id = 0;
  std::string project;   // an ID
  std::string consumer;  // "user alice"
  std::string address;   // where the consumer's stream comes from
  std::string agent;
  std::string service;
  std::string target;
  bool stitched = false;  // its path is two connections that are joined, and no streams
  // It and the bytes are of all paths at this broker process.
  WallTime since;
  uint64_t bytes_up = 0;  // by the consumer, as they passed the broker: sealed
  uint64_t bytes_down = 0;
};

}  // namespace culvert::broker
