// How a channel that is open is doing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace culvert {

struct ChannelStatus {
  uint64_t channel_id = 0;
  std::string peer;  // the provider's name; at the provider the consumer's SPIFFE id, or else its
                     // address
  std::string service;  // and arg: as asked for
  std::string arg;
  std::chrono::nanoseconds age{0};
  // Since the path was lost; none while there is one.
  std::optional<std::chrono::nanoseconds> suspended;
  uint32_t resumes = 0;
  // Its path is, or was, a connection of its own to the broker's data port, and not streams.
  bool stitched = false;
  bool encrypted = false;  // from end to end
  // The smallest that was measured on the path, until the other application took a message.
  std::optional<std::chrono::nanoseconds> round_trip;
  uint64_t send_window = 0;     // bytes that the other end lets this one have under way
  uint64_t receive_window = 0;  // and this end the other one
  uint64_t unacknowledged = 0;  // bytes that are kept to be sent again
  uint64_t bytes_sent = 0;      // payload to the other end
  uint64_t bytes_received = 0;  // payload from the other end
};

}  // namespace culvert
