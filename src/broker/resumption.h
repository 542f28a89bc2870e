// What the resume of a channel is about, and what a ticket says of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "broker/principal.h"
#include "broker/requests.h"
#include "broker/tickets.h"
#include "culvert/v1/ticket.pb.h"
#include "rpc/stream.h"
#include "tunnel/error_code.h"

namespace culvert::broker {

// A legacy peer's channel may be resumed for this long, and an agreement with one says so.
inline constexpr Duration kLegacyResumeTime = std::chrono::seconds(60);
inline constexpr uint32_t kLegacyResumeSeconds = 60;

// For longer no channel is held, whatever its ends say: that is as long as a ticket lives, so that
// a channel that has none for longer has none again.
inline constexpr uint32_t kMostResumeSeconds =
    std::chrono::duration_cast<std::chrono::seconds>(Tickets::kLifetime).count();

// A channel that had a path before. What was asked for at its opening is beside it.
struct Resumption {
  uint64_t session_id = 0;
  uint64_t channel_id = 0;
  uint32_t attempt = 0;
  uint64_t last_message_id = 0;  // that the consumer has received
  uint32_t timeout_s = 0;        // as agreed at the opening
  // Who accepted the channel; none under --insecure.
  std::optional<Principal> provider = std::nullopt;
};

// Why a resume comes to nothing. UNAVAILABLE: for now. Anything else: for good.
struct ResumeRefusal {
  absl::Status status;
  tunnel::ErrorCode code = tunnel::ErrorCode::kUnspecified;
  Duration retry_after = Duration::zero();
  uint64_t last_message_id = 0;  // of kEnded
  // What a consumer hears before the status, if it is capable.
  rpc::Frame ToFrame(uint64_t channel_id) const;
};

// The words for people, and for good.
ResumeRefusal Denied(tunnel::ErrorCode code, const std::string& words);
ResumeRefusal ProviderRestarted();
// They did not come back when their connection was closed: docs/adr/0011. An agent may have gone to
// another broker: a consumer that knows of one asks there.
ResumeRefusal AgentGone();
ResumeRefusal UserGone();
// For now.
ResumeRefusal TryLater(tunnel::ErrorCode code, const std::string& words, Duration retry_after);
// The provider's own word: for good unless it is BUSY.
ResumeRefusal RefusedByProvider(tunnel::ErrorCode code, std::string words,
                                uint64_t last_message_id);

// Seconds for which both ends hold a channel, kMostResumeSeconds at most; 0 if one of them does
// not.
uint32_t AgreedResumeTime(const OpenChannel& open, const AcceptChannel& accept);

// PERMISSION_DENIED unless `who`, or by name who calls itself so, may present `ticket` for what
// `resume` asks for.
absl::Status CheckPresenter(const culvert::v1::ChannelTicket& ticket, const ResumeChannel& resume,
                            const std::optional<Principal>& who);
// The opening of the channel, with what the consumer says of itself now.
OpenChannel OpeningOf(const culvert::v1::ChannelTicket& ticket, const ResumeChannel& resume,
                      const std::optional<Principal>& who);
Resumption ResumptionOf(const culvert::v1::ChannelTicket& ticket, const ResumeChannel& resume,
                        const std::optional<Principal>& who);

culvert::v1::SessionTicket SessionTicketOf(const OpenSession& open, uint64_t session_id);
// Whether it is the ticket of `session_id`, and `open` comes from the process that has it.
bool IsOfSession(const culvert::v1::SessionTicket& ticket, uint64_t session_id,
                 const OpenSession& open);

}  // namespace culvert::broker
