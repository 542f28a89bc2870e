// One Channel whose peer, local side and clock are the test.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tunnel/channel.h"

namespace culvert::tunnel::testing {

using Lines = std::vector<std::string>;

inline Bytes Filled(size_t size) { return Bytes(std::string(size, 'x')); }

inline Data DataOf(uint64_t id, std::string text) {
  Data data;
  data.id = id;
  data.bytes = Bytes(std::move(text));
  return data;
}

inline Data SizedData(uint64_t id, size_t size) { return DataOf(id, std::string(size, 'x')); }

inline Data EndOf(uint64_t id) {
  Data data;
  data.id = id;
  data.end_of_stream = true;
  return data;
}

inline constexpr uint64_t kWindow = 64 * 1024;

inline Channel::Options Capable(uint64_t peer_window = kWindow, uint64_t own_window = kWindow) {
  Channel::Options options;
  options.id = 7;
  options.peer_capabilities = kOwnCapabilities;
  options.peer_window = peer_window;
  options.own_window = own_window;
  return options;
}

inline Channel::Options Legacy() {
  Channel::Options options;
  options.id = 7;
  return options;
}

class OneEnd {
 public:
  explicit OneEnd(const Channel::Options& options = Capable(),
                  uint64_t memory_limit = MemoryBudget::kDefaultLimit)
      : budget(memory_limit), channel(options, budget) {}

  // A new path; the peer states `peer_last_id`.
  absl::Status Attach(uint64_t peer_last_id = 0, std::optional<uint64_t> window = std::nullopt) {
    return channel.Attach(channel.attempt() + 1, peer_last_id, window, now);
  }
  // A message of the peer on the current path.
  Channel::PathVerdict From(Message message) {
    return channel.OnMessage(channel.attempt(), std::move(message), now);
  }
  // Everything that the channel has for its path now.
  Lines Sent() {
    Lines lines;
    while (std::optional<Message> message = channel.NextMessage(now)) {
      lines.push_back(DebugString(*message));
    }
    return lines;
  }
  void Send(const std::string& text) { channel.Send(Bytes::Copy(text)); }
  // The local side takes everything that is there: "abc", "abc|" with an end, "a,b" in two.
  std::string Take() {
    std::string taken;
    while (std::optional<Channel::Delivery> delivery = channel.NextDelivery(now)) {
      if (!taken.empty()) taken += ',';
      taken += std::string(delivery->bytes.view()) + (delivery->end ? "|" : "");
      channel.Delivered(now);
    }
    return taken;
  }

  bool Ended() const { return channel.state() == Channel::State::kEnded; }
  bool EndedClean() const { return Ended() && channel.outcome().clean; }
  bool EndedWith(ErrorCode code) const {
    return Ended() && !channel.outcome().clean && channel.outcome().code == code;
  }

  MonotonicTime now{};
  MemoryBudget budget;
  Channel channel;
};

// On its first path, nothing sent yet.
class OpenEnd : public OneEnd {
 public:
  explicit OpenEnd(const Channel::Options& options = Capable(),
                   uint64_t memory_limit = MemoryBudget::kDefaultLimit)
      : OneEnd(options, memory_limit) {
    (void)Attach();
    (void)Sent();
  }
};

// Its own direction has ended and that is acknowledged.
class HalfClosedEnd : public OpenEnd {
 public:
  HalfClosedEnd() {
    channel.FinishSending();
    (void)Sent();
    (void)From(Ack{1, std::nullopt});
  }
};

// Both directions have ended, and that is known here: Close is next.
class ClosingEnd : public HalfClosedEnd {
 public:
  ClosingEnd() {
    (void)From(EndOf(1));
    (void)channel.NextDelivery(now);
    channel.Delivered(now);
  }
};

}  // namespace culvert::tunnel::testing
