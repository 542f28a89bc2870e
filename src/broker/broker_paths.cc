// What the Broker knows of a channel beyond its path: the ticket for the next one, and what the
// earlier ones have carried.
#include <algorithm>

#include "broker/broker.h"
#include "crypto/digest.h"
#include "culvert/error_code.h"
#include "tunnel/message.h"

namespace culvert::broker {

std::string Broker::MakeTicket(const Relay& relay) {
  if (relay.resume_timeout_s() == 0) return "";
  const OpenChannel& open = relay.open();
  culvert::v1::ChannelTicket ticket;
  if (open.principal) {
    ticket.set_consumer_key(open.principal->key);
    ticket.set_consumer_id(open.principal->id.ToString());
  }
  ticket.set_consumer_name(open.consumer);
  ticket.set_project(open.provider.project);
  ticket.set_region(open.provider.region);
  ticket.set_service_domain(open.provider.service_domain);
  ticket.set_provider(open.provider.name);
  if (relay.provider()) ticket.set_provider_key(relay.provider()->key);
  ticket.set_service(open.service);
  ticket.set_arg(open.arg);
  ticket.set_arg_sha256(crypto::Sha256(open.arg));
  ticket.set_session_id(relay.session_id());
  ticket.set_channel_id(relay.id());
  ticket.set_e2e(relay.end_to_end());
  ticket.set_consumer_caps(open.capabilities);
  ticket.set_provider_caps(relay.provider_capabilities());
  ticket.set_resume_timeout_s(relay.resume_timeout_s());
  return tickets_.Seal(std::move(ticket), WallNow());
}

void Broker::KeepTicketFresh(const Relay& relay) {
  if (relay.resume_timeout_s() == 0 || !tunnel::IsCapable(relay.open().capabilities)) return;
  ticket_renewals_.Add(relay.id(), loop_.Now());
  AwaitTicketRenewals();
}

void Broker::AwaitTicketRenewals() {
  const std::optional<MonotonicTime> at = ticket_renewals_.next();
  if (!at) return;
  ticket_timer_.Start(std::max(*at - loop_.Now(), Duration::zero()), [this] {
    for (const uint64_t id : ticket_renewals_.TakeDue(loop_.Now())) {
      const Relay* const relay = openings_.FindChannel(id);
      if (relay == nullptr || !attachments_.IsAttached(relay->open())) continue;
      attachments_.SendTicket(relay->open(), id, MakeTicket(*relay));
    }
    AwaitTicketRenewals();
  });
}

void Broker::KeepCarried(const Relay& relay) {
  const std::string project = ProjectId(relay.open().provider.project);
  if (!relay.outcome().opened) {
    // A resume that came to nothing, for now.
    const absl::Status& end = relay.end_status();
    const bool again = relay.resume() && (absl::IsUnavailable(end) || absl::IsCancelled(end));
    if (!again) return;
    quotas_.Suspend(project, relay.id(), std::chrono::seconds(relay.resume()->timeout_s),
                    loop_.Now());
    return;
  }
  const absl::Status& why = relay.outcome().why;
  const bool lost = ErrorCodeOf(why) == ErrorCode::kPathLost || absl::IsAborted(why);
  if (!lost || relay.resume_timeout_s() == 0) return;
  const auto time = std::chrono::seconds(relay.resume_timeout_s());
  earlier_paths_.Keep(relay.id(), relay.carried(), time, loop_.Now());
  // In place of one that was superseded its successor counts.
  if (ErrorCodeOf(why) != ErrorCode::kPathLost) return;
  quotas_.Suspend(project, relay.id(), time, loop_.Now());
}

}  // namespace culvert::broker
