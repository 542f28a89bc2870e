// The first messages of the three RPCs, parsed, checked and brought to one form for both versions
// of the protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "broker/principal.h"
#include "broker/provider_key.h"
#include "culvert/v1/extensions.pb.h"
#include "rpc/server.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Longest `arg` of an opening.
inline constexpr size_t kMaxArgBytes = 4096;
// Longest ticket that anybody opens: what this broker seals is shorter.
inline constexpr size_t kMaxTicketBytes = 8192;

struct OpenChannel {
  ProviderKey provider;
  std::string consumer;  // the name that the consumer gives itself
  std::string service;
  std::string arg;
  uint64_t capabilities = 0;  // 0: legacy
  uint64_t window = 0;
  uint32_t resume_timeout_s = 0;      // for how long it holds the channel without a path
  bool return_not_available = false;  // instead of NOT_FOUND
  // Whether the bytes are to be encrypted from end to end, as the consumer says.
  culvert::v1::EndToEnd end_to_end = culvert::v1::END_TO_END_UNSPECIFIED;
  uint64_t parked_id = 0;  // the consumer's connection for a stitched path
  // The consumer as its connection shows it; none under --insecure. Not of the message.
  std::optional<Principal> principal = std::nullopt;
};

// Nothing of it counts but by the ticket, or by what the broker remembers of a legacy peer.
struct ResumeChannel {
  ProviderKey provider;
  std::string consumer;
  uint64_t session_id = 0;
  uint64_t channel_id = 0;
  uint64_t last_message_id = 0;
  uint64_t capabilities = 0;
  std::string ticket = {};
  uint32_t attempt = 0;
  uint64_t window = 0;
  uint64_t parked_id = 0;             // as in OpenChannel
  bool return_not_available = false;  // instead of OUT_OF_RANGE
};

// What of an earlier session the provider wants to go on with.
struct EarlierSession {
  uint64_t session_id = 0;
  std::string ticket = {};
};

struct OpenSession {
  ProviderKey provider;
  uint64_t capabilities = 0;
  uint64_t incarnation = 0;
  std::vector<std::string> services = {};
  std::optional<EarlierSession> earlier = std::nullopt;
  std::optional<Principal> principal = std::nullopt;  // as in OpenChannel
  std::string endpoint = {};  // StreamInfo::endpoint of the stream. Not of the message
};

struct AcceptChannel {
  ProviderKey provider;
  uint64_t session_id = 0;
  uint64_t channel_id = 0;
  uint64_t capabilities = 0;
  uint64_t window = 0;
  culvert::v1::EndToEnd end_to_end = culvert::v1::END_TO_END_UNSPECIFIED;
  uint32_t resume_timeout_s = 0;
  uint32_t attempt = 0;
  // Of a resume: the last that the provider has received. None for an opening.
  std::optional<uint64_t> resume_after = std::nullopt;
  std::string endpoint = {};  // as in OpenSession
};

// The answer to who asked to hear this instead of NOT_FOUND or OUT_OF_RANGE.
rpc::Frame NotAvailableLocally();

// INVALID_ARGUMENT unless a consumer may give itself this name.
absl::Status CheckConsumerName(const std::string& name);

// NOT_FOUND, in the words for people.
absl::Status RegionNotServed(const std::string& region);

using ConnectOpening = std::variant<OpenChannel, ResumeChannel>;

// `region` is the broker's own: an empty region in a message means it. Another one is NOT_FOUND,
// but for OpenChannel, whose consumer is to hear of it as of a failed opening. INVALID_ARGUMENT
// with one line when the first message is not an opening or a field is not usable.
absl::StatusOr<ConnectOpening> ParseConnectOpening(rpc::StreamInfo::Version version,
                                                   const Bytes& message, const std::string& region);
absl::StatusOr<OpenSession> ParseListenOpening(rpc::StreamInfo::Version version,
                                               const Bytes& message, const std::string& region);
absl::StatusOr<AcceptChannel> ParseAcceptOpening(rpc::StreamInfo::Version version,
                                                 const Bytes& message, const std::string& region);

}  // namespace culvert::broker
