// The envelopes of the three RPCs (Connect, Listen, Accept) on the wire: which member of the oneof
// a message holds, and the channel messages inside, without copying payloads.
//
// v1alpha2 has the same numbers as v1, so one codec serves both packages.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "rpc/stream.h"
#include "tunnel/message.h"

namespace culvert::rpc {

enum class EnvelopeType {
  kConnectRequest,
  kConnectResponse,
  kListenRequest,
  kListenResponse,
  kAcceptRequest,
  kAcceptResponse,
};

// What an envelope holds. kControl is everything that is not a channel message, ping or pong: parse
// the whole message with protobuf.
enum class Kind { kControl, kData, kAck, kClose, kError, kPing, kPong };

struct Envelope {
  Kind kind = Kind::kControl;
  Bytes body;  // of the member; for kControl the whole message
};

// Exactly one member of the oneof must be present (no encoder writes more); fields that are not
// members of it are skipped. INVALID_ARGUMENT otherwise.
absl::StatusOr<Envelope> ParseEnvelope(EnvelopeType type, const Bytes& message);

// The number of user bytes in the body of a Data; 0 if it does not parse.
size_t PayloadSize(const Bytes& data_body);

// A whole message of protobuf's as a frame.
Frame FrameOf(const google::protobuf::MessageLite& message);

// Puts a member's body into an envelope. The kind must exist in `type`.
Frame MakeEnvelope(EnvelopeType type, Kind kind, Bytes body);

// Channel messages. Decode keeps the payload of Data in the memory of `body`.
Frame EncodeMessage(EnvelopeType type, const tunnel::Message& message);
absl::StatusOr<tunnel::Message> DecodeMessage(Kind kind, const Bytes& body);

}  // namespace culvert::rpc
