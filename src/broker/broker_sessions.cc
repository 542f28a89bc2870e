// The providers' side of the Broker: sessions, and what they accept, refuse or leave behind.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
#include "broker/resumption.h"
#include "crypto/random.h"

namespace culvert::broker {

absl::Status Broker::BeginListen(PendingStream& pending, const Bytes& message) {
  if (draining_) return ShuttingDown();
  CULVERT_ASSIGN_OR_RETURN(std::optional<Principal> who, Identify(pending));
  CULVERT_ASSIGN_OR_RETURN(OpenSession open,
                           ParseListenOpening(pending.info().version, message, region_));
  pending.asked().agent = open.provider.name;
  if (who) CULVERT_RETURN_IF_ERROR(access_.gate->MayProvide(*who, open.provider));
  open.principal = std::move(who);
  open.endpoint = pending.info().endpoint();
  const uint64_t id = SessionIdFor(open);
  const bool comes_back = open.earlier && open.earlier->session_id == id;
  if (!comes_back) CULVERT_RETURN_IF_ERROR(CheckAgents(pending, open));
  const std::string endpoint = pending.info().endpoint();
  auto session = std::make_unique<Session>(loop_, id, std::move(open), pending.info().peer,
                                           pending.TakeStream(), times_.session, *this);
  Session& added = *session;
  const bool resumed = added.IsResumed();
  departures_.Back(id);
  sessions_log_.Log(
      LogLevel::kInfo, loop_.Now(),
      fmt::format("[session {:x}] agent {} {} from {}", added.id(), added.provider().ToString(),
                  resumed ? "came back" : "registered", added.peer()));
  std::unique_ptr<Session> replaced = registry_.Add(std::move(session));
  if (replaced != nullptr && replaced->id() == id) {
    // One stream of it in place of another: nobody has come or gone.
    replaced->End(absl::AbortedError("superseded"));
    TakeBackOffers(*replaced);
    Bury(std::move(replaced));
  } else {
    if (replaced != nullptr) TakeOver(std::move(replaced), added);
    trail_.Registered(added);
  }
  if (resumed) LeaveOtherPaths(added, endpoint);
  TellUntoldCuts(added);
  OfferWaiting(added);
  return absl::OkStatus();
}

void Broker::LeaveOtherPaths(const Session& session, const std::string& endpoint) {
  for (Relay* relay : openings_.AcceptedBy(session.id())) relay->KeepOver(endpoint);
}

void Broker::TakeOver(std::unique_ptr<Session> replaced, const Session& by) {
  if (by.incarnation() == 0 || replaced->incarnation() != by.incarnation()) {
    takeovers_log_.Log(LogLevel::kWarning, loop_.Now(),
                       fmt::format("[session {:x}] agent {} at {} taken over by {}", replaced->id(),
                                   replaced->provider().ToString(), replaced->peer(), by.peer()));
  }
  const absl::Status why = absl::AbortedError(fmt::format("taken over by {}", by.peer()));
  replaced->End(why);
  RemoveSession(std::move(replaced), why);
}

uint64_t Broker::SessionIdFor(const OpenSession& open) {
  if (!open.earlier || !MayGoOnWith(*open.earlier, open)) return crypto::RandomId();
  if (departures_.IsGone(open.earlier->session_id, loop_.Now())) return crypto::RandomId();
  // Under --insecure tickets can be made up.
  const Session* const other = registry_.FindById(open.earlier->session_id);
  if (other != nullptr && other->provider() != open.provider) return crypto::RandomId();
  return open.earlier->session_id;
}

bool Broker::MayGoOnWith(const EarlierSession& earlier, const OpenSession& open) {
  if (!tunnel::IsCapable(open.capabilities)) {
    const std::optional<Registry::Known> known = registry_.FindKnown(open.provider);
    return known && !known->capable && known->session_id == earlier.session_id &&
           known->principal == open.principal &&
           (!known->away_since || loop_.Now() - *known->away_since <= kLegacyResumeTime);
  }
  const absl::StatusOr<culvert::v1::SessionTicket> ticket =
      tickets_.OpenSession(earlier.ticket, WallNow());
  return ticket.ok() && IsOfSession(*ticket, earlier.session_id, open);
}

std::string Broker::MakeTicket(uint64_t session_id, const OpenSession& opening) {
  if (opening.incarnation == 0) return "";
  return tickets_.Seal(SessionTicketOf(opening, session_id), WallNow());
}

absl::Status Broker::BeginAccept(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<Principal> who, Identify(pending));
  CULVERT_ASSIGN_OR_RETURN(AcceptChannel accept,
                           ParseAcceptOpening(pending.info().version, message, region_));
  accept.endpoint = pending.info().endpoint();
  pending.asked().agent = accept.provider.name;
  pending.asked().channel = fmt::format("{:x}", accept.channel_id);
  if (who) CULVERT_RETURN_IF_ERROR(access_.gate->MayProvide(*who, accept.provider));
  Relay* const relay = openings_.FindChannel(accept.channel_id);
  if (relay == nullptr || relay->state() != Relay::State::kOpening ||
      relay->session_id() != accept.session_id || relay->open().provider != accept.provider ||
      relay->resume().has_value() != accept.resume_after.has_value()) {
    return absl::NotFoundError("no such channel is waiting to be accepted");
  }
  // The offer was made to one key: another one of the same name does not have the session.
  const Session* const session = registry_.Find(accept.provider);
  if (session == nullptr || session->id() != accept.session_id || session->principal() != who) {
    return absl::NotFoundError("no such channel is waiting to be accepted");
  }
  // A legacy provider knows of no attempts: it has heard of the newest one last.
  if (accept.resume_after && session->capable() && accept.attempt != relay->attempt()) {
    return absl::NotFoundError("this attempt is not waiting to be accepted");
  }
  openings_.SetOpen(*relay);
  legacy_.Forget(relay->id());
  if (relay->resume()) {
    const auto earlier = earlier_paths_.Take(relay->id(), loop_.Now());
    if (earlier) relay->GoOnFrom(*earlier);
  }
  relay->Accept(accept, who, pending.TakeStream());
  KeepTicketFresh(*relay);
  if (draining_) relay->Notify(drain_notices_.Now());
  if (relay->resume()) {
    trail_.Resumed(*relay);
  } else {
    trail_.Opened(*relay);
  }
  return absl::OkStatus();
}

void Broker::OnOpenRefused(Session& session, const OfferRefusal& refusal) {
  Relay* const relay = openings_.FindChannel(refusal.channel_id);
  if (relay == nullptr) return;  // the consumer has gone already
  if (relay->session_id() != session.id()) return;
  if (relay->is_stitched() && relay->state() == Relay::State::kRelaying) {
    HandleStitchRefused(*relay, refusal);
    return;
  }
  if (relay->state() != Relay::State::kOpening) return;
  openings_.Forget(*relay);  // the offer is answered
  if (relay->resume()) {
    relay->RefuseResume(RefusedByProvider(refusal.code, refusal.message, refusal.last_message_id));
    if (!absl::IsUnavailable(relay->end_status())) legacy_.Forget(relay->id());
  } else if (refusal.code == tunnel::ErrorCode::kAlreadyExists && relay->MayRedraw()) {
    Offer(*relay, session);  // under another id
  } else {
    relay->Refuse(refusal.code, refusal.message);
  }
}

void Broker::OnSessionLost(Session& session, absl::Status why) {
  sessions_log_.Log(
      LogLevel::kInfo, loop_.Now(),
      fmt::format("[session {:x}] agent {} left: {}", session.id(), session.provider().ToString(),
                  why.ok() ? "finished" : MessageOf(why)));
  if (std::unique_ptr<Session> lost = registry_.Remove(session.id(), loop_.Now())) {
    RemoveSession(std::move(lost), why);
    NoteLost(session, why);
  }
}

void Broker::OfferWaiting(Session& session) {
  for (Relay* relay : openings_.WaitingFor(session.provider())) OfferAgain(*relay, &session);
}

void Broker::TakeBackOffers(const Session& session) {
  Session* const instead = registry_.Find(session.provider());
  for (Relay* relay : openings_.OfferedTo(session.id())) OfferAgain(*relay, instead);
}

void Broker::OfferAgain(Relay& relay, Session* session) {
  if (relay.resume()) {
    session != nullptr ? OfferResume(relay, *session) : HoldResume(relay);
  } else {
    session != nullptr ? Offer(relay, *session) : Wait(relay);
  }
}

void Broker::RemoveSession(std::unique_ptr<Session> session, const absl::Status& why) {
  trail_.Unregistered(*session, why);
  TakeBackOffers(*session);
  Bury(std::move(session));
}

void Broker::Bury(std::unique_ptr<Session> session) {
  if (data_ != nullptr) data_->Drop(DataOwnerOf(*session));
  done_sessions_.push_back(std::move(session));
  sweep_.Schedule();
}

}  // namespace culvert::broker
