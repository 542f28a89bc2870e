#include "broker/resumption.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

template <typename Ticket>
ProviderKey ProviderOf(const Ticket& ticket) {
  return {ticket.project(), ticket.region(), ticket.service_domain(), ticket.provider()};
}

// A status of that code which carries `code` too, whatever status it is nearest to.
absl::Status StatusWith(absl::StatusCode status_code, tunnel::ErrorCode code,
                        const std::string& words) {
  absl::Status status(status_code, words);
  ErrorStatus(code, words)
      .ForEachPayload([&status](absl::string_view url, const absl::Cord& payload) {
        status.SetPayload(url, payload);
      });
  return status;
}

ResumeRefusal OutOfRange(const std::string& words) {
  const auto code = tunnel::ErrorCode::kOutOfRange;
  return {StatusWith(absl::StatusCode::kOutOfRange, code, words), code};
}

}  // namespace

rpc::Frame ResumeRefusal::ToFrame(uint64_t channel_id) const {
  ntt::proxies::v1::ConnectResponse response;
  auto& error = *response.mutable_channel_open_error();
  error.set_channel_id(channel_id);
  error.set_message(std::string(MessageOf(status)));
  error.set_code(static_cast<culvert::v1::ErrorCode>(code));
  error.set_last_message_id(last_message_id);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(retry_after).count();
  error.set_retry_after_ms(
      static_cast<uint32_t>(std::clamp<int64_t>(wait, 0, std::numeric_limits<uint32_t>::max())));
  return rpc::FrameOf(response);
}

ResumeRefusal Denied(tunnel::ErrorCode code, const std::string& words) {
  return {StatusWith(absl::StatusCode::kPermissionDenied, code, words), code};
}

ResumeRefusal ProviderRestarted() { return OutOfRange("provider restarted"); }

ResumeRefusal AgentGone() {
  const auto code = tunnel::ErrorCode::kOffline;
  const std::string words = "the agent's program is gone";
  return {StatusWith(absl::StatusCode::kNotFound, code, words), code};
}

ResumeRefusal UserGone() { return OutOfRange("the user's program was taken for gone"); }

ResumeRefusal TryLater(tunnel::ErrorCode code, const std::string& words, Duration retry_after) {
  return {StatusWith(absl::StatusCode::kUnavailable, code, words), code, retry_after};
}

ResumeRefusal RefusedByProvider(tunnel::ErrorCode code, std::string words,
                                uint64_t last_message_id) {
  using tunnel::ErrorCode;
  if (words.empty()) words = ErrorCodeText(code);
  switch (code) {
    case ErrorCode::kBusy:
      return {StatusWith(absl::StatusCode::kUnavailable, code, words), code};
    case ErrorCode::kUnknownChannel:
      return {StatusWith(absl::StatusCode::kNotFound, code, words), code};
    case ErrorCode::kDenied:
    case ErrorCode::kRevoked:
    case ErrorCode::kKilled:
      return {StatusWith(absl::StatusCode::kPermissionDenied, code, words), code};
    default:
      return {StatusWith(absl::StatusCode::kOutOfRange, code, words), code, Duration::zero(),
              last_message_id};
  }
}

uint32_t AgreedResumeTime(const OpenChannel& open, const AcceptChannel& accept) {
  const auto of = [](uint64_t capabilities, uint32_t seconds) {
    return tunnel::IsCapable(capabilities) ? seconds : kLegacyResumeSeconds;
  };
  return std::min({of(open.capabilities, open.resume_timeout_s),
                   of(accept.capabilities, accept.resume_timeout_s), kMostResumeSeconds});
}

absl::Status CheckPresenter(const culvert::v1::ChannelTicket& ticket, const ResumeChannel& resume,
                            const std::optional<Principal>& who) {
  const bool same =
      who ? who->id.ToString() == ticket.consumer_id() && who->key == ticket.consumer_key()
          : ticket.consumer_id().empty();
  if (!same || resume.consumer != ticket.consumer_name()) {
    return absl::PermissionDeniedError("the ticket is somebody else's");
  }
  if (resume.session_id != ticket.session_id() || resume.channel_id != ticket.channel_id() ||
      resume.provider != ProviderOf(ticket)) {
    return absl::PermissionDeniedError("the ticket is another channel's");
  }
  return absl::OkStatus();
}

OpenChannel OpeningOf(const culvert::v1::ChannelTicket& ticket, const ResumeChannel& resume,
                      const std::optional<Principal>& who) {
  OpenChannel open;
  open.provider = resume.provider;
  open.consumer = resume.consumer;
  open.service = ticket.service();
  open.arg = ticket.arg();
  open.capabilities = resume.capabilities;
  open.window = resume.window;
  open.resume_timeout_s = ticket.resume_timeout_s();
  open.end_to_end = ticket.e2e();
  open.parked_id = resume.parked_id;
  open.principal = who;
  return open;
}

Resumption ResumptionOf(const culvert::v1::ChannelTicket& ticket, const ResumeChannel& resume,
                        const std::optional<Principal>& who) {
  Resumption resumption{ticket.session_id(), ticket.channel_id(), resume.attempt,
                        resume.last_message_id,
                        std::min(ticket.resume_timeout_s(), kMostResumeSeconds)};
  if (who) {
    // Only agents accept, under their own names and in the project of the channel.
    resumption.provider = Principal{
        {who->id.trust_domain, who->id.project, crypto::SpiffeId::Role::kAgent, ticket.provider()},
        ticket.provider_key()};
  }
  return resumption;
}

culvert::v1::SessionTicket SessionTicketOf(const OpenSession& open, uint64_t session_id) {
  culvert::v1::SessionTicket ticket;
  if (open.principal) {
    ticket.set_provider_key(open.principal->key);
    ticket.set_provider_id(open.principal->id.ToString());
  }
  ticket.set_project(open.provider.project);
  ticket.set_region(open.provider.region);
  ticket.set_service_domain(open.provider.service_domain);
  ticket.set_provider(open.provider.name);
  ticket.set_session_id(session_id);
  ticket.set_incarnation(open.incarnation);
  return ticket;
}

bool IsOfSession(const culvert::v1::SessionTicket& ticket, uint64_t session_id,
                 const OpenSession& open) {
  const bool same_key = open.principal ? open.principal->key == ticket.provider_key() &&
                                             open.principal->id.ToString() == ticket.provider_id()
                                       : ticket.provider_id().empty();
  return same_key && ticket.session_id() == session_id && ProviderOf(ticket) == open.provider &&
         open.incarnation != 0 && ticket.incarnation() == open.incarnation;
}

}  // namespace culvert::broker
