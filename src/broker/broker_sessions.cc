// The providers' side of the Broker: sessions, and what they accept, refuse or leave behind.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
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
  const uint64_t incarnation = open.incarnation;
  auto session =
      std::make_unique<Session>(loop_, crypto::RandomId(), std::move(open), pending.info().peer,
                                pending.TakeStream(), times_.unread, *this);
  Session& added = *session;
  sessions_log_.Log(LogLevel::kInfo, loop_.Now(),
                    fmt::format("[session {:x}] agent {} registered from {}", added.id(),
                                added.provider().ToString(), added.peer()));
  if (std::unique_ptr<Session> replaced = registry_.Add(std::move(session))) {
    if (incarnation == 0 || replaced->incarnation() != incarnation) {
      takeovers_log_.Log(
          LogLevel::kWarning, loop_.Now(),
          fmt::format("[session {:x}] agent {} at {} taken over by {}", replaced->id(),
                      replaced->provider().ToString(), replaced->peer(), added.peer()));
    }
    const absl::Status why = absl::AbortedError(fmt::format("taken over by {}", added.peer()));
    replaced->End(why);
    RemoveSession(std::move(replaced), why);
  }
  trail_.Registered(added);
  OfferWaiting(added);
  return absl::OkStatus();
}

absl::Status Broker::BeginAccept(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<Principal> who, Identify(pending));
  CULVERT_ASSIGN_OR_RETURN(const AcceptChannel accept,
                           ParseAcceptOpening(pending.info().version, message, region_));
  pending.asked().agent = accept.provider.name;
  pending.asked().channel = fmt::format("{:x}", accept.channel_id);
  if (who) CULVERT_RETURN_IF_ERROR(access_.gate->MayProvide(*who, accept.provider));
  if (accept.resume) return absl::OutOfRangeError("this broker does not hold the channel");
  Relay* const relay = openings_.FindChannel(accept.channel_id);
  if (relay == nullptr || relay->state() != Relay::State::kOpening ||
      relay->session_id() != accept.session_id || relay->open().provider != accept.provider) {
    return absl::NotFoundError("no such channel is waiting to be accepted");
  }
  // The offer was made to one key: another one of the same name does not have the session.
  const Session* const session = registry_.Find(accept.provider);
  if (session == nullptr || session->id() != accept.session_id || session->principal() != who) {
    return absl::NotFoundError("no such channel is waiting to be accepted");
  }
  openings_.SetOpen(*relay);
  relay->Accept(accept, who, pending.TakeStream());
  trail_.Opened(*relay);
  return absl::OkStatus();
}

void Broker::OnOpenRefused(Session& session, uint64_t channel_id, tunnel::ErrorCode code,
                           const std::string& message) {
  Relay* const relay = openings_.FindChannel(channel_id);
  if (relay == nullptr) return;  // the consumer has gone already
  if (relay->session_id() != session.id() || relay->state() != Relay::State::kOpening) return;
  openings_.Forget(*relay);  // the offer is answered
  if (code == tunnel::ErrorCode::kAlreadyExists && relay->MayRedraw()) {
    Offer(*relay, session);  // under another id
  } else {
    relay->Refuse(code, message);
  }
}

void Broker::OnSessionLost(Session& session, absl::Status why) {
  sessions_log_.Log(
      LogLevel::kInfo, loop_.Now(),
      fmt::format("[session {:x}] agent {} left: {}", session.id(), session.provider().ToString(),
                  why.ok() ? "finished" : MessageOf(why)));
  if (std::unique_ptr<Session> lost = registry_.Remove(session.id(), loop_.Now())) {
    RemoveSession(std::move(lost), why);
  }
}

void Broker::OfferWaiting(Session& session) {
  for (Relay* relay : openings_.WaitingFor(session.provider())) Offer(*relay, session);
}

void Broker::TakeBackOffers(const Session& session) {
  Session* const instead = registry_.Find(session.provider());
  for (Relay* relay : openings_.OfferedTo(session.id())) {
    if (instead != nullptr) {
      Offer(*relay, *instead);
    } else {
      Wait(*relay);
    }
  }
}

void Broker::RemoveSession(std::unique_ptr<Session> session, const absl::Status& why) {
  trail_.Unregistered(*session, why);
  TakeBackOffers(*session);
  done_sessions_.push_back(std::move(session));
  sweep_.Schedule();
}

}  // namespace culvert::broker
