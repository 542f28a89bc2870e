// The messages that two ends of a channel exchange, independent of what carries them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "tunnel/error_code.h"

namespace culvert::tunnel {

// Data, Close and Error share one id space per direction: 1, 2, 3, … without gaps.

struct Data {
  uint64_t id = 0;
  Bytes bytes;
  bool ack_required = false;   // the sender asks for an Ack as soon as the bytes are taken
  bool end_of_stream = false;  // the last message of this direction (FIN); capable peers only
};

// Cumulative: everything up to `id` was taken by the receiver's local side.
struct Ack {
  uint64_t id = 0;
  std::optional<uint64_t> window;  // cost that may be sent beyond `id`; capable peers only
};

// Both directions are finished.
struct Close {
  uint64_t id = 0;
};

// Aborts both directions at once.
struct Error {
  uint64_t id = 0;
  std::string message;
  ErrorCode code = ErrorCode::kUnspecified;
};

using Message = std::variant<Data, Ack, Close, Error>;

// What a message costs against windows and budgets: one byte is not free.
inline constexpr uint64_t kMessageOverhead = 128;
inline uint64_t CostOf(size_t bytes) { return bytes + kMessageOverhead; }
// An end of stream is outside the window if it carries no more than what ends an encrypted
// direction (a TLS close_notify): it is never held back by it.
inline constexpr size_t kMaxFreeEndBytes = 64;
inline uint64_t CostOf(const Data& data) {
  return data.end_of_stream && data.bytes.size() <= kMaxFreeEndBytes ? 0
                                                                     : CostOf(data.bytes.size());
}

// Largest payload of one Data message; legacy peers may send larger ones.
inline constexpr size_t kMaxDataBytes = size_t{256} * 1024;
inline constexpr size_t kMaxLegacyDataBytes = size_t{1024} * 1024 - 4096;
// Longest text of an Error that is sent or kept.
inline constexpr size_t kMaxErrorText = 512;

// `text` made UTF-8 and cut to `max_bytes` between two characters: protobuf and HTTP headers refuse
// other strings. Each byte that is not part of a character becomes '?'.
std::string CutText(std::string_view text, size_t max_bytes);
// To kMaxErrorText.
std::string CutErrorText(std::string_view text);

// "Data 5 (1024 bytes, end of stream)", for traces and test output; never payload.
std::string DebugString(const Message& message);

// Capabilities that an end announces when it opens a channel (field 100, `caps`). A peer that
// announces none is legacy: docs/protocol.md, "Capabilities and legacy peers".
inline constexpr uint64_t kCapExactTcp = 1u << 1;   // culvert.v1.CAPABILITY_BASE
inline constexpr uint64_t kCapEndToEnd = 1u << 2;   // culvert.v1.CAPABILITY_END_TO_END
inline constexpr uint64_t kCapStitched = 1u << 3;   // culvert.v1.CAPABILITY_STITCHED
inline constexpr uint64_t kCapClearData = 1u << 4;  // culvert.v1.CAPABILITY_CLEAR_DATA
inline constexpr uint64_t kOwnCapabilities = kCapExactTcp;
// Whether who announced `capabilities` is more than a legacy peer.
inline bool IsCapable(uint64_t capabilities) { return (capabilities & kCapExactTcp) != 0; }

}  // namespace culvert::tunnel
