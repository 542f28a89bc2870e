// How the Broker takes channels up again whose path was lost, also those that it has never seen.
#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "broker/broker.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

using tunnel::ErrorCode;

// For what may be over at once.
constexpr Duration kRetrySoon = std::chrono::milliseconds(250);
// For what is not.
constexpr Duration kRetryLater = std::chrono::seconds(2);

absl::Status Superseded() { return absl::AbortedError("superseded"); }

}  // namespace

absl::Status Broker::BeginResume(PendingStream& pending, const ResumeChannel& resume,
                                 const std::optional<Principal>& who) {
  pending.asked().agent = resume.provider.name;
  pending.asked().channel = fmt::format("{:x}", resume.channel_id);
  if (resume.ticket.empty()) return BeginLegacyResume(pending, resume, who);
  const absl::StatusOr<culvert::v1::ChannelTicket> ticket =
      tickets_.OpenChannel(resume.ticket, WallNow());
  absl::Status good = ticket.status();
  if (good.ok()) good = CheckPresenter(*ticket, resume, who);
  if (!good.ok()) {
    return Refuse(pending, resume, Denied(ErrorCodeOf(good), std::string(MessageOf(good))));
  }
  if (resume.attempt < 2) return absl::InvalidArgumentError("attempt of a resume: at least 2");
  return Resume(pending, resume, OpeningOf(*ticket, resume, who),
                ResumptionOf(*ticket, resume, who));
}

absl::Status Broker::BeginLegacyResume(PendingStream& pending, const ResumeChannel& resume,
                                       const std::optional<Principal>& who) {
  if (tunnel::IsCapable(resume.capabilities)) {
    return Refuse(pending, resume, Denied(ErrorCode::kDenied, "a resume needs a ticket"));
  }
  if (std::optional<LegacyChannels::Channel> found = FindLegacy(resume, who)) {
    return Resume(pending, resume, std::move(found->open), std::move(found->last));
  }
  if (!resume.return_not_available) {
    return absl::OutOfRangeError("this broker does not hold the channel");
  }
  const std::unique_ptr<rpc::Stream> stream = pending.TakeStream();
  stream->Write(NotAvailableLocally());
  stream->Finish(absl::OkStatus());
  return absl::OkStatus();
}

std::optional<LegacyChannels::Channel> Broker::FindLegacy(const ResumeChannel& resume,
                                                          const std::optional<Principal>& who) {
  // The loss may not be known here yet.
  const Relay* const relay = openings_.FindChannel(resume.channel_id);
  if (relay != nullptr && IsSameChannel(relay->open(), relay->session_id(), resume, who)) {
    RememberLegacy(*relay);
  }
  LegacyChannels::Channel* const found = legacy_.Find(resume.channel_id, loop_.Now());
  if (found == nullptr || !IsSameChannel(found->open, found->last.session_id, resume, who)) {
    return std::nullopt;
  }
  ++found->last.attempt;
  found->last.last_message_id = resume.last_message_id;
  return *found;
}

void Broker::RememberLegacy(const Relay& relay) {
  const bool was_open =
      relay.state() != Relay::State::kWaiting && relay.state() != Relay::State::kOpening;
  if (!was_open || tunnel::IsCapable(relay.open().capabilities)) return;
  if (relay.resume_timeout_s() == 0) return;  // the provider holds nothing
  legacy_.Keep(relay.open(),
               {relay.session_id(), relay.id(), relay.attempt(), 0, relay.resume_timeout_s(),
                relay.provider()},
               loop_.Now());
}

absl::Status Broker::Refuse(PendingStream& pending, const ResumeChannel& resume,
                            const ResumeRefusal& refusal) {
  if (tunnel::IsCapable(resume.capabilities)) {
    pending.stream().Write(refusal.ToFrame(resume.channel_id));
  }
  return refusal.status;
}

absl::Status Broker::Resume(PendingStream& pending, const ResumeChannel& resume, OpenChannel open,
                            Resumption resumption) {
  SetAsked(open, pending.asked());
  departures_.Back(resumption.channel_id);
  Relay* const older = openings_.FindChannel(resumption.channel_id);
  if (const std::optional<ResumeRefusal> refusal = CheckResume(open, resumption)) {
    if (older != nullptr) older->Cut(refusal->status);
    TellCut(open.provider, resumption.session_id, resumption.channel_id, refusal->status);
    legacy_.Forget(resumption.channel_id);
    earlier_paths_.Forget(resumption.channel_id);
    quotas_.Forget(resumption.channel_id);
    return Refuse(pending, resume, *refusal);
  }
  if (older != nullptr && older->attempt() >= resumption.attempt) {
    return Refuse(pending, resume, {Superseded(), ErrorCode::kAlreadyExists});
  }
  // What is refused anyway takes nothing away from the others.
  if (const Duration wait = admission_.TakeResume(loop_.Now()); wait > Duration::zero()) {
    return Refuse(pending, resume, TryLater(ErrorCode::kBusy, "too many resumes at once", wait));
  }
  if (pending.data_owner()) {
    return ResumeStitched(pending, std::move(open), std::move(resumption), older);
  }
  if (older != nullptr) {
    // Of a legacy consumer ABORTED would say at the provider that it left for good.
    const bool capable = tunnel::IsCapable(older->open().capabilities);
    older->Cut(capable ? Superseded() : ErrorStatus(ErrorCode::kPathLost, "path lost"));
  }
  const uint64_t channel_id = resumption.channel_id;
  // Above any quota: it counts, and new ones wait.
  Quotas::Channel counted = quotas_.Count(ProjectId(open.provider.project), loop_.Now());
  quotas_.Forget(channel_id);
  auto created = std::make_unique<Relay>(loop_, channel_id, std::move(open), std::move(resumption),
                                         pending.info().endpoint(), pending.TakeStream(),
                                         pending.TakeOpeningSlot(), std::move(counted),
                                         times_.resume_wait + times_.resume_answer, *this);
  Relay& relay = *created;
  relays_.emplace(&relay, std::move(created));
  if (Session* session = registry_.Find(relay.open().provider)) {
    OfferResume(relay, *session);
  } else {
    HoldResume(relay);
  }
  return absl::OkStatus();
}

std::optional<ResumeRefusal> Broker::CheckResume(const OpenChannel& open,
                                                 const Resumption& resumption) {
  absl::Status may;
  if (open.principal) may = access_.gate->MayGoOn(*open.principal);
  if (may.ok() && resumption.provider) may = access_.gate->MayGoOn(*resumption.provider);
  if (!may.ok()) return Denied(ErrorCode::kRevoked, std::string(MessageOf(may)));
  if (tickets_.IsKilled(resumption.channel_id)) {
    return Denied(ErrorCode::kKilled, "the channel was killed by an operator");
  }
  if (open.principal) may = access_.gate->MayConnect(open);
  if (!may.ok()) return Denied(ErrorCode::kDenied, std::string(MessageOf(may)));
  if (departures_.IsGone(resumption.channel_id, loop_.Now())) return UserGone();
  return std::nullopt;
}

void Broker::TellCut(const ProviderKey& provider, uint64_t session_id, uint64_t channel_id,
                     const absl::Status& why) {
  Session* const session = registry_.Find(provider);
  if (session == nullptr) {
    std::erase_if(untold_cuts_,
                  [channel_id](const UntoldCut& cut) { return cut.channel_id == channel_id; });
    untold_cuts_.push_back({session_id, channel_id, why});
    if (untold_cuts_.size() > kMaxUntoldCuts) untold_cuts_.pop_front();
  } else if (session->id() == session_id) {
    TellCutOnce(*session, channel_id, why);
  }
}

void Broker::TellCutOnce(Session& session, uint64_t channel_id, const absl::Status& why) {
  const uint64_t what = channel_id ^ session.stream_id();
  if (told_cuts_.Has(what, loop_.Now())) return;
  if (session.TellCut(channel_id, why)) told_cuts_.Add(what, loop_.Now());
}

void Broker::TellUntoldCuts(Session& session) {
  std::erase_if(untold_cuts_, [this, &session](const UntoldCut& cut) {
    if (cut.session_id != session.id()) return false;
    TellCutOnce(session, cut.channel_id, cut.why);
    return true;
  });
}

void Broker::OfferResume(Relay& relay, Session& session) {
  const Resumption& resume = *relay.resume();
  const bool same_key = !session.principal() || session.principal() == relay.provider();
  if (session.id() != resume.session_id || !same_key) {
    relay.RefuseResume(ProviderRestarted());
    return;
  }
  const absl::Status offered = session.OfferResume(resume, relay.open(), relay.peer());
  if (!offered.ok()) {
    relay.RefuseResume(TryLater(ErrorCode::kBusy, std::string(MessageOf(offered)), kRetryLater));
    return;
  }
  openings_.AddOffered(relay, session.id(), relay.id());
  relay.OfferedTo(session.id(), relay.id(), times_.resume_answer);
}

void Broker::HoldResume(Relay& relay) {
  if (draining_) {
    relay.Cut(ShuttingDown());
    return;
  }
  if (departures_.IsGone(relay.session_id(), loop_.Now())) {
    relay.RefuseResume(AgentGone());
    return;
  }
  absl::StatusOr<SlotCounter::Slot> held = admission_.HoldResume(ConsumerOf(relay.open()));
  if (!held.ok()) {
    relay.RefuseResume(
        TryLater(ErrorCode::kBusy, std::string(MessageOf(held.status())), kRetryLater));
    return;
  }
  openings_.AddWaiting(relay);
  relay.WaitForProvider(times_.resume_wait, *std::move(held));
}

void Broker::HandleResumeTimeout(Relay& relay) {
  const std::string& name = relay.open().provider.name;
  relay.RefuseResume(
      relay.state() == Relay::State::kWaiting
          ? TryLater(ErrorCode::kOffline, fmt::format("agent {} is offline", name), kRetrySoon)
          : TryLater(ErrorCode::kTimeout, "agent did not answer the resume in time", kRetrySoon));
}

}  // namespace culvert::broker
