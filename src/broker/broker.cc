#include "broker/broker.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/random.h"

namespace culvert::broker {
namespace {

absl::Status ShuttingDown() { return absl::UnavailableError("broker is shutting down"); }

}  // namespace

Broker::Broker(net::EventLoop& loop, std::string region, const Limits& limits)
    : loop_(loop),
      region_(std::move(region)),
      streams_("streams", limits.streams_per_address),
      pending_openings_("openings under way", limits.pending_per_address),
      sweep_(loop, [this] { Sweep(); }) {}

Broker::~Broker() = default;

void Broker::SetLimits(const Limits& limits) {
  streams_.set_limit(limits.streams_per_address);
  pending_openings_.set_limit(limits.pending_per_address);
}

void Broker::AddStream(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
  loop_.AssertOnThread();
  absl::StatusOr<SlotCounter::Slot> slot = streams_.Take(info.peer);
  // Only consumers: an Accept that had to wait for a free opening would wait for itself.
  absl::StatusOr<SlotCounter::Slot> pending_slot = SlotCounter::Slot();
  if (info.method == rpc::StreamInfo::Method::kConnect)
    pending_slot = pending_openings_.Take(info.peer);
  absl::Status refused = draining_    ? ShuttingDown()
                         : !slot.ok() ? slot.status()
                                      : pending_slot.status();
  if (!refused.ok()) {
    CULVERT_LOG(kDebug, "stream from {} refused: {}", info.peer, MessageOf(refused));
    stream->Finish(refused);
    return;
  }
  auto pending = std::make_unique<PendingStream>(
      loop_, info, std::move(stream), *std::move(slot), *std::move(pending_slot),
      [this](PendingStream& done, const std::optional<Bytes>& message) {
        HandleFirstMessage(done, message);
      });
  PendingStream* const key = pending.get();
  pending_.emplace(key, std::move(pending));
}

void Broker::HandleFirstMessage(PendingStream& pending, const std::optional<Bytes>& message) {
  if (message) {
    absl::Status begun = absl::OkStatus();
    switch (pending.info().method) {
      case rpc::StreamInfo::Method::kConnect:
        begun = BeginConnect(pending, *message);
        break;
      case rpc::StreamInfo::Method::kListen:
        begun = BeginListen(pending, *message);
        break;
      case rpc::StreamInfo::Method::kAccept:
        begun = BeginAccept(pending, *message);
        break;
    }
    if (!begun.ok()) {
      CULVERT_LOG(kInfo, "stream from {} refused: {}", pending.info().peer, MessageOf(begun));
      pending.TakeStream()->Finish(begun);
    }
  }
  done_pending_.push_back(&pending);
  sweep_.Schedule();
}

// --- consumers ---

absl::Status Broker::BeginConnect(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(ConnectOpening opening,
                           ParseConnectOpening(pending.info().version, message, region_));
  if (std::holds_alternative<ResumeChannel>(opening)) {
    return absl::OutOfRangeError("this broker does not hold the channel");
  }
  OpenRelay(pending, std::get<OpenChannel>(std::move(opening)));
  return absl::OkStatus();
}

void Broker::OpenRelay(PendingStream& pending, OpenChannel open) {
  const ProviderKey key = open.provider;
  auto created = std::make_unique<Relay>(
      loop_, crypto::RandomId(), std::move(open), pending.info().peer, pending.TakeStream(),
      pending.TakeStreamSlot(), pending.TakePendingSlot(), *this);
  Relay& relay = *created;
  relays_.emplace(&relay, std::move(created));
  if (Session* session = registry_.Find(key)) {
    Offer(relay, *session);
    return;
  }
  const std::optional<MonotonicTime> since = registry_.AwaySince(key);
  const Duration away = since ? loop_.Now() - *since : kAwayWait;
  if (away < kAwayWait) {
    relay.WaitForProvider(kAwayWait - away);
  } else {
    FailAway(relay);
  }
}

void Broker::Offer(Relay& relay, Session& session) {
  by_channel_.erase(relay.id());
  uint64_t id = crypto::RandomId();
  while (by_channel_.contains(id)) id = crypto::RandomId();
  if (absl::Status offered = session.Offer(id, relay.open()); !offered.ok()) {
    relay.Fail(offered, tunnel::ErrorCode::kLimit, Duration::zero());
    return;
  }
  by_channel_.emplace(id, &relay);
  relay.OfferedTo(session.id(), id);
}

void Broker::OfferWaiting(Session& session) {
  for (auto& [relay, owned] : relays_) {
    if (relay->state() == Relay::State::kWaiting && relay->open().provider == session.provider()) {
      Offer(*relay, session);
    }
  }
}

void Broker::TakeBackOffers(const Session& session) {
  for (auto& [relay, owned] : relays_) {
    if (relay->state() != Relay::State::kOpening || relay->session_id() != session.id()) continue;
    by_channel_.erase(relay->id());
    relay->WaitForProvider(kAwayWait);
  }
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
  if (relay.state() == Relay::State::kWaiting) {
    FailAway(relay);
    return;
  }
  relay.Fail(absl::DeadlineExceededError("agent did not accept the channel in 10 s"),
             tunnel::ErrorCode::kTimeout, Duration::zero());
}

void Broker::OnRelayEnded(Relay& relay) {
  by_channel_.erase(relay.id());
  done_relays_.push_back(&relay);
  sweep_.Schedule();
}

void Broker::Sweep() {
  for (PendingStream* pending : std::exchange(done_pending_, {})) pending_.erase(pending);
  for (Relay* relay : std::exchange(done_relays_, {})) relays_.erase(relay);
  done_sessions_.clear();
  if (draining_ && relays_.empty() && on_idle_) std::exchange(on_idle_, nullptr)();
}

// --- providers ---

absl::Status Broker::BeginListen(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(ListenOpening opening,
                           ParseListenOpening(pending.info().version, message, region_));
  // A session that is not known any more is answered with a new one: another id says that it was
  // lost.
  OpenSession open;
  if (auto* resume = std::get_if<ResumeSession>(&opening)) {
    open = OpenSession{std::move(resume->provider), resume->capabilities, resume->incarnation};
  } else {
    open = std::get<OpenSession>(std::move(opening));
  }
  const uint64_t incarnation = open.incarnation;
  auto session = std::make_unique<Session>(crypto::RandomId(), std::move(open), pending.info().peer,
                                           pending.TakeStream(), pending.TakeStreamSlot(), *this);
  Session& added = *session;
  CULVERT_LOG(kInfo, "[session {:x}] agent {} registered from {}", added.id(),
              added.provider().ToString(), added.peer());
  if (std::unique_ptr<Session> replaced = registry_.Add(std::move(session))) {
    if (incarnation == 0 || replaced->incarnation() != incarnation) {
      CULVERT_LOG(kWarning, "[session {:x}] agent {} at {} taken over by {}", replaced->id(),
                  replaced->provider().ToString(), replaced->peer(), added.peer());
    }
    replaced->End(absl::AbortedError(fmt::format("taken over by {}", added.peer())));
    TakeBackOffers(*replaced);
    done_sessions_.push_back(std::move(replaced));
    sweep_.Schedule();
  }
  OfferWaiting(added);
  return absl::OkStatus();
}

absl::Status Broker::BeginAccept(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const AcceptChannel accept,
                           ParseAcceptOpening(pending.info().version, message, region_));
  if (accept.resume) return absl::OutOfRangeError("this broker does not hold the channel");
  const auto found = by_channel_.find(accept.channel_id);
  if (found == by_channel_.end() || found->second->state() != Relay::State::kOpening ||
      found->second->session_id() != accept.session_id ||
      found->second->open().provider != accept.provider) {
    return absl::NotFoundError("no such channel is waiting to be accepted");
  }
  found->second->Accept(accept, pending.TakeStream(), pending.TakeStreamSlot());
  return absl::OkStatus();
}

void Broker::OnOpenRefused(Session& session, uint64_t channel_id, tunnel::ErrorCode code,
                           const std::string& message) {
  const auto found = by_channel_.find(channel_id);
  if (found == by_channel_.end()) return;  // the consumer has gone already
  Relay& relay = *found->second;
  if (relay.session_id() != session.id() || relay.state() != Relay::State::kOpening) return;
  if (code == tunnel::ErrorCode::kAlreadyExists) {
    Offer(relay, session);  // under another id
    return;
  }
  relay.Refuse(code, message);
}

void Broker::OnSessionLost(Session& session, absl::Status why) {
  CULVERT_LOG(kInfo, "[session {:x}] agent {} left: {}", session.id(),
              session.provider().ToString(), why.ok() ? "finished" : MessageOf(why));
  if (std::unique_ptr<Session> lost = registry_.Remove(session.id(), loop_.Now())) {
    TakeBackOffers(*lost);
    done_sessions_.push_back(std::move(lost));
    sweep_.Schedule();
  }
}

// --- the end ---

void Broker::Drain(absl::AnyInvocable<void() &&> on_idle) {
  draining_ = true;
  on_idle_ = std::move(on_idle);
  sweep_.Schedule();
}

void Broker::EndAll() {
  draining_ = true;
  registry_.EndAll(ShuttingDown());
  for (auto& [key, pending] : pending_) {
    if (auto stream = pending->TakeStream()) stream->Finish(ShuttingDown());
  }
  pending_.clear();
  for (auto& [relay, owned] : relays_) relay->Cut(ShuttingDown());
}

}  // namespace culvert::broker
