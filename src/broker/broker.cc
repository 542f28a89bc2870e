#include "broker/broker.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/health.h"
#include "broker/heard_stream.h"
#include "culvert/error_code.h"

namespace culvert::broker {
namespace {

bool BeginsSomething(rpc::StreamInfo::Method method) {
  using Method = rpc::StreamInfo::Method;
  return method == Method::kConnect || method == Method::kListen || method == Method::kAttach;
}

}  // namespace

Broker::Broker(net::EventLoop& loop, std::string region, const Limits& limits, const Times& times,
               const Access& access, DataPlane* data)
    : loop_(loop),
      region_(std::move(region)),
      times_(times),
      access_(access),
      data_(data),
      tickets_(access.tickets != nullptr ? *access.tickets : insecure_tickets_),
      born_(loop.Now()),
      admission_(limits, loop.Now()),
      trail_(loop, access.audit),
      departures_(times.departures, loop.Now()),
      quotas_(access.quotas),
      attachments_(loop, AttachmentCalls()),
      raw_(loop, data, trail_, [this] { sweep_.Schedule(); }),
      ticket_renewals_(times.ticket_renewal),
      drain_notices_(loop),
      returns_timer_(loop),
      ticket_timer_(loop),
      parting_pairs_(loop),
      sweep_(loop, [this] { Sweep(); }) {}

Broker::~Broker() = default;

absl::Status Broker::ShuttingDown() {
  return ErrorStatus(ErrorCode::kShutdown, "broker is shutting down");
}

void Broker::SetLimits(const Limits& limits) { admission_.SetLimits(limits); }

void Broker::AddStream(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
  loop_.AssertOnThread();
  if (info.method == rpc::StreamInfo::Method::kUnknown) {
    RefuseUnknown(info, std::move(stream));
    return;
  }
  // The provider of an opening that is under way may still accept it.
  if (draining_ && BeginsSomething(info.method)) {
    admission_.Refuse(info, std::move(stream), ShuttingDown());
    return;
  }
  absl::StatusOr<SlotCounter::Slot> opening_slot = admission_.Admit(info, *stream, loop_.Now());
  if (!opening_slot.ok()) {
    admission_.Refuse(info, std::move(stream), opening_slot.status());
    return;
  }
  stream = std::make_unique<HeardStream>(loop_, departures_, info.endpoint(), std::move(stream));
  AwaitFirstMessage(info, std::move(stream), *std::move(opening_slot));
}

PendingStream& Broker::AwaitFirstMessage(const rpc::StreamInfo& info,
                                         std::unique_ptr<rpc::Stream> stream,
                                         SlotCounter::Slot opening_slot) {
  auto pending = std::make_unique<PendingStream>(
      loop_, info, std::move(stream), std::move(opening_slot),
      [this](PendingStream& done, const std::optional<Bytes>& message) {
        HandleFirstMessage(done, message);
      });
  PendingStream& added = *pending;
  pending_.emplace(&added, std::move(pending));
  return added;
}

void Broker::HandleFirstMessage(PendingStream& pending, const std::optional<Bytes>& message) {
  if (message) {
    const absl::Status begun = Begin(pending, *message);
    if (!begun.ok()) {
      const bool no_path = ErrorCodeOf(begun) == ErrorCode::kNoPath;  // the usual course of things
      refusals_log_.Log(
          no_path ? LogLevel::kDebug : LogLevel::kInfo, loop_.Now(),
          fmt::format("stream from {} refused: {}", pending.info().peer, MessageOf(begun)));
      if (!absl::IsUnavailable(begun)) trail_.Denied(pending.asked(), pending.info().peer, begun);
      pending.TakeStream()->Finish(begun);
    }
  }
  done_pending_.push_back(&pending);
  sweep_.Schedule();
}

absl::Status Broker::Begin(PendingStream& pending, const Bytes& message) {
  using Method = rpc::StreamInfo::Method;
  switch (pending.info().method) {
    case Method::kConnect:
      return BeginConnect(pending, message);
    case Method::kListen:
      return BeginListen(pending, message);
    case Method::kAccept:
      return BeginAccept(pending, message);
    case Method::kAttach:
      return BeginAttach(pending, message);
    case Method::kHealthCheck:
      return AnswerHealth(pending, message);
    case Method::kEnroll:
    case Method::kLogin:
    case Method::kRenew:
    case Method::kWhoAmI:
    case Method::kListAgents:
    case Method::kKeyRotations:
    case Method::kRequestConnection:
    case Method::kUnknown:
      break;
    case Method::kGetProject:
    case Method::kBatchGetProjects:
    case Method::kListProjects:
    case Method::kWatchProject:
    case Method::kWatchProjects:
    case Method::kCreateProject:
    case Method::kUpdateProject:
    case Method::kDeleteProject:
      return BeginProjectCall(pending, message);
  }
  CULVERT_ASSIGN_OR_RETURN(rpc::Frame answer, AnswerCall(pending, message));
  const std::unique_ptr<rpc::Stream> stream = pending.TakeStream();
  stream->Write(std::move(answer));
  stream->Finish(absl::OkStatus());
  return absl::OkStatus();
}

absl::Status Broker::AnswerHealth(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(
      rpc::Frame answer,
      AnswerHealthCheck(message, draining_ ? Health::kNotServing : Health::kServing));
  const std::unique_ptr<rpc::Stream> stream = pending.TakeStream();
  stream->Write(std::move(answer));
  stream->Finish(absl::OkStatus());
  return absl::OkStatus();
}

// --- consumers ---

absl::Status Broker::BeginConnect(PendingStream& pending, const Bytes& message) {
  if (draining_) return ShuttingDown();
  std::optional<Principal> refused;
  absl::StatusOr<std::optional<Principal>> who = Identify(pending, &refused);
  // The resume of whose key was revoked is refused like one that another check denies.
  const bool revoked = refused && !access_.gate->MayGoOn(*refused).ok();
  if (!who.ok() && !revoked) return who.status();
  absl::StatusOr<ConnectOpening> parsed =
      ParseConnectOpening(pending.info().version, message, region_);
  if (!parsed.ok()) return who.ok() ? parsed.status() : who.status();
  ConnectOpening& opening = *parsed;
  if (const auto* resume = std::get_if<ResumeChannel>(&opening)) {
    return BeginResume(pending, *resume, revoked ? refused : *who);
  }
  if (!who.ok()) return who.status();
  if (absl::Status may = admission_.MayOpen(pending.info(), loop_.Now()); !may.ok()) {
    admission_.Refuse(pending.info(), pending.TakeStream(), may);
    return absl::OkStatus();
  }
  OpenChannel& open = std::get<OpenChannel>(opening);
  open.principal = *std::move(who);
  SetAsked(open, pending.asked());
  if (open.principal) CULVERT_RETURN_IF_ERROR(access_.gate->MayConnect(open));
  CULVERT_RETURN_IF_ERROR(TakeOpening(pending, open));
  if (pending.data_owner()) return OpenStitched(pending, std::move(open));
  OpenRelay(pending, std::move(open));
  return absl::OkStatus();
}

Relay& Broker::AddRelay(std::unique_ptr<Relay> relay) {
  Relay& added = *relay;
  relays_.emplace(&added, std::move(relay));
  return added;
}

void Broker::OpenRelay(PendingStream& pending, OpenChannel open) {
  Quotas::Channel counted = quotas_.Count(ProjectId(open.provider.project), loop_.Now());
  Relay& relay = AddRelay(std::make_unique<Relay>(
      loop_, openings_.DrawChannelId(), std::move(open), std::nullopt, pending.info().endpoint(),
      pending.TakeStream(), pending.TakeOpeningSlot(), std::move(counted), times_.opening, *this));
  const ProviderKey& key = relay.open().provider;
  if (key.region != region_) {
    relay.Fail(RegionNotServed(key.region), tunnel::ErrorCode::kUnknownProvider, Duration::zero());
  } else if (Session* session = registry_.Find(key)) {
    Offer(relay, *session);
  } else {
    Wait(relay);
  }
}

void Broker::Wait(Relay& relay) {
  if (draining_) {
    relay.Cut(ShuttingDown());
    return;
  }
  const std::optional<MonotonicTime> since = registry_.AwaySince(relay.open().provider);
  const Duration left =
      since ? *since + Times::kAwayWait - loop_.Now() : born_ + times_.start_wait - loop_.Now();
  if (left > Duration::zero()) {
    openings_.AddWaiting(relay);
    relay.WaitForProvider(left);
  } else {
    FailAway(relay);
  }
}

void Broker::Offer(Relay& relay, Session& session) {
  const uint64_t id = openings_.DrawChannelId();
  if (absl::Status offered = session.Offer(id, relay.open(), relay.peer()); !offered.ok()) {
    relay.Fail(offered, tunnel::ErrorCode::kBusy, Duration::zero());
    return;
  }
  openings_.AddOffered(relay, session.id(), id);
  relay.OfferedTo(session.id(), id, times_.opening);
}

void Broker::FailAway(Relay& relay) {
  const std::optional<MonotonicTime> since = registry_.AwaySince(relay.open().provider);
  if (!since) {
    relay.Fail(absl::NotFoundError(fmt::format("agent {} is unknown", relay.open().provider.name)),
               tunnel::ErrorCode::kUnknownProvider, Duration::zero());
    return;
  }
  const Duration away = loop_.Now() - *since;
  relay.Fail(absl::NotFoundError(fmt::format("agent {} is offline since {:.1f} s",
                                             relay.open().provider.name, ToSeconds(away))),
             tunnel::ErrorCode::kOffline, away);
}

void Broker::OnRelayTimeout(Relay& relay) {
  if (relay.resume()) {
    HandleResumeTimeout(relay);
    return;
  }
  if (relay.state() == Relay::State::kWaiting) {
    FailAway(relay);
    return;
  }
  relay.Fail(absl::DeadlineExceededError("agent did not accept the channel in time"),
             tunnel::ErrorCode::kTimeout, Duration::zero());
}

void Broker::OnRelayEnded(Relay& relay) {
  // A resume that comes to nothing may come again.
  if (openings_.IsOffered(relay) && !relay.resume()) {
    TellCut(relay.open().provider, relay.session_id(), relay.id(), relay.end_status());
  }
  if (relay.outcome().opened && ErrorCodeOf(relay.outcome().why) == ErrorCode::kPathLost) {
    RememberLegacy(relay);
  }
  NoteLost(relay);
  KeepCarried(relay);
  ticket_renewals_.Remove(relay.id());
  openings_.Forget(relay);
  trail_.Ended(relay);
  done_relays_.push_back(&relay);
  sweep_.Schedule();
}

void Broker::Sweep() {
  for (PendingStream* pending : std::exchange(done_pending_, {})) pending_.erase(pending);
  for (Relay* relay : std::exchange(done_relays_, {})) relays_.erase(relay);
  done_sessions_.clear();
  if (draining_ && relays_.empty() && raw_.joined() == 0 && on_idle_)
    std::exchange(on_idle_, nullptr)();
}

}  // namespace culvert::broker
