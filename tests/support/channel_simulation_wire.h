// What one end puts on its paths, checked against what the protocol allows whoever the peer is.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <variant>

#include "tunnel/message.h"

namespace culvert::tunnel::testing {

class WireCheck {
 public:
  explicit WireCheck(bool to_legacy) : to_legacy_(to_legacy) {}

  // The peer has received everything up to `last_id`.
  void OnNewPath(uint64_t last_id) {
    next_id_ = last_id + 1;
    after_error_ = 0;
  }

  // What is wrong with `message`; empty if nothing is.
  std::string OnSent(const Message& message) {
    if (after_error_ > 0 && (!std::holds_alternative<Ack>(message) || ++after_error_ > 2)) {
      return "after an Error: " + DebugString(message);
    }
    if (const auto* ack = std::get_if<Ack>(&message)) return OnAck(*ack);
    const uint64_t id = std::visit([](const auto& any) { return any.id; }, message);
    if (id != next_id_++) return fmt::format("{} out of order", DebugString(message));
    if (const auto* data = std::get_if<Data>(&message)) return OnData(*data);
    if (const auto* error = std::get_if<Error>(&message)) {
      after_error_ = 1;
      if (to_legacy_ && error->code != ErrorCode::kUnspecified) return "a code for a legacy peer";
    }
    return "";
  }

 private:
  std::string OnAck(const Ack& ack) {
    if (ack.id == 0) return "an Ack for nothing";
    if (ack.id < acked_) return fmt::format("Ack {} after Ack {}", ack.id, acked_);
    acked_ = ack.id;
    if (ack.window.has_value() == to_legacy_) return "wrong kind of Ack: " + DebugString(ack);
    return "";
  }
  std::string OnData(const Data& data) const {
    if (data.bytes.size() > kMaxDataBytes) return "too large: " + DebugString(data);
    if (data.bytes.empty() && !data.end_of_stream) return "empty: " + DebugString(data);
    if (to_legacy_ && data.end_of_stream) return "an end of stream for a legacy peer";
    return "";
  }

  const bool to_legacy_;
  uint64_t next_id_ = 1;
  uint64_t acked_ = 0;
  int after_error_ = 0;  // messages from the Error on
};

}  // namespace culvert::tunnel::testing
