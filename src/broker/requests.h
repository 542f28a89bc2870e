// The first messages of the three RPCs, parsed, checked and brought to one form for both versions
// of the protocol.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "broker/provider_key.h"
#include "rpc/server.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Longest `arg` of an opening.
inline constexpr size_t kMaxArgBytes = 4096;

struct OpenChannel {
  ProviderKey provider;
  std::string consumer;  // the name that the consumer gives itself
  std::string service;
  std::string arg;
  uint64_t capabilities = 0;  // 0: legacy
  uint64_t window = 0;
  bool return_not_available = false;  // instead of NOT_FOUND
};

// This broker keeps no channel that lost a half: nothing of it is needed.
struct ResumeChannel {
  bool return_not_available = false;  // instead of OUT_OF_RANGE
};

// Also what a resume asks for: this broker keeps no session that is lost, and the new id says so.
struct OpenSession {
  ProviderKey provider;
  uint64_t capabilities = 0;
  uint64_t incarnation = 0;
};

struct AcceptChannel {
  ProviderKey provider;
  uint64_t session_id = 0;
  uint64_t channel_id = 0;
  uint64_t capabilities = 0;
  uint64_t window = 0;
  bool resume = false;
};

// The answer to who asked to hear this instead of NOT_FOUND or OUT_OF_RANGE.
rpc::Frame NotAvailableLocally();

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
