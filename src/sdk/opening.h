// What the openings of consumers and providers have in common.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "culvert/client.h"
#include "culvert/provider.h"
#include "sdk/client_core.h"
#include "tunnel/message.h"

namespace culvert {

// Who opens, in an OpenRequest of Connect, Listen or Accept.
template <typename OpenRequest>
void SetIdentity(const ClientOptions& options, OpenRequest& open) {
  open.set_project(options.project);
  open.set_region_id(options.region);
  open.set_service_domain(options.service_domain);
  open.set_name(options.name);
}

// Whether what a consumer opens is encrypted from end to end.
inline bool Encrypts(ClientCore& core) {
  return core.end_to_end() != nullptr && core.options().end_to_end == EndToEndChoice::kRequired;
}

// Whether a stitched path is safe enough for a channel that is not encrypted: where there are no
// identities all is on loopback.
inline bool AllowsClearData(ClientCore& core) {
  return core.end_to_end() == nullptr || core.options().allow_clear_data;
}

// Whether what a consumer opens may have a stitched path, whatever the provider says.
inline bool MayStitch(ClientCore& core) {
  return core.options().path != PathChoice::kStream && (Encrypts(core) || AllowsClearData(core));
}

// What this program announces for a channel.
inline uint64_t OwnCapabilities(ClientCore& core) {
  return tunnel::kOwnCapabilities | (core.end_to_end() != nullptr ? tunnel::kCapEndToEnd : 0) |
         (core.options().path == PathChoice::kStream ? 0 : tunnel::kCapStitched) |
         (core.options().allow_clear_data ? tunnel::kCapClearData : 0);
}

// `resume_timeout` as it goes over the wire.
uint32_t ResumeSeconds(const ClientOptions& options);

// The report of a channel that was never open. `channel_id` 0: it had none yet.
ChannelReport FailedOpening(uint64_t channel_id, const absl::Status& why, MonotonicTime started);

// The status of a stream that ended, in words for people: gRPC's own name files and addresses of
// its internals. `broker` is where the stream led. The code stays.
absl::Status ExplainStreamEnd(const absl::Status& status, const std::string& broker);

// What the status of a consumer's opening means as an error of ours.
absl::Status OpeningFailure(const absl::Status& status, const std::string& broker);

}  // namespace culvert
