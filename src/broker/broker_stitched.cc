// The Broker's part in stitched paths: who may have one, and joining the two ends' connections.
#include <utility>

#include "base/status.h"
#include "broker/broker.h"
#include "culvert/error_code.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

// The consumer takes streams then.
absl::Status NoPath(const std::string& why) { return ErrorStatus(ErrorCode::kNoPath, why); }

}  // namespace

DataOwner Broker::DataOwnerOf(const Session& session) {
  return {session.principal() ? session.principal()->id.ToString()
                              : session.provider().project + "/" + session.provider().name,
          DataOwner::Role::kProvider, session.id()};
}

// Called while the Broker is made: what they use is not there yet.
Attachments::Calls Broker::AttachmentCalls() {
  return {.open =
              [this](const Attachment& attachment, std::unique_ptr<AttachedStream> stream) {
                AddAttached(attachment, std::move(stream));
              },
          .lend =
              [this](const DataOwner& owner, uint32_t count) {
                return data_ != nullptr ? data_->Lend(owner, count)
                                        : culvert::v1::LeaseDataResponse();
              },
          .drop =
              [this](const DataOwner& owner) {
                if (data_ != nullptr) data_->Drop(owner);
              },
          .data_port = [this] { return data_port(); }};
}

uint32_t Broker::data_port() const { return data_ == nullptr ? 0 : data_->advertised_port(); }

culvert::v1::LeaseDataResponse Broker::Lend(const Session& session, uint32_t count) {
  return data_ == nullptr ? culvert::v1::LeaseDataResponse()
                          : data_->Lend(DataOwnerOf(session), count);
}

// As a Connect stream: the same limits, the same checks.
void Broker::AddAttached(const Attachment& attachment, std::unique_ptr<AttachedStream> attached) {
  rpc::StreamInfo info = attachment.info();
  info.method = rpc::StreamInfo::Method::kConnect;
  const DataOwner owner = attachment.data_owner();
  std::unique_ptr<rpc::Stream> stream = std::move(attached);
  if (draining_) {
    stream->Finish(ShuttingDown());
    return;
  }
  absl::StatusOr<SlotCounter::Slot> slot = admission_.Admit(info, *stream, loop_.Now());
  if (!slot.ok()) {
    stream->Finish(slot.status());
    return;
  }
  AwaitFirstMessage(info, std::move(stream), *std::move(slot)).set_data_owner(owner);
}

absl::StatusOr<Relay::Ends> Broker::TakeParked(const DataOwner& consumer, const OpenChannel& open,
                                               const Session* session) {
  if (data_ == nullptr) return NoPath("this broker has no data port");
  if (session == nullptr) return NoPath("the agent is away");
  if ((session->capabilities() & open.capabilities & tunnel::kCapStitched) == 0) {
    return NoPath("the agent has no stitched paths");
  }
  // What is not encrypted from end to end is not to pass a port that authenticates nobody, unless
  // both ends say that it may; under --insecure all is on loopback.
  const bool encrypted = open.end_to_end == culvert::v1::END_TO_END_REQUIRED;
  const uint64_t both = session->capabilities() & open.capabilities;
  if (access_.gate != nullptr && !encrypted && (both & tunnel::kCapClearData) == 0) {
    return NoPath("it is not encrypted from end to end");
  }
  // As its Accept stream would; the consumer's half counts already.
  absl::StatusOr<SlotCounter::Slot> slot = admission_.CountStitched(session->peer());
  if (!slot.ok()) return NoPath(std::string(MessageOf(slot.status())));
  // Neither end's is used up in vain.
  if (!data_->Holds(consumer, open.parked_id)) return NoPath("the parked connection is gone");
  std::optional<ParkedSockets::Parked> provider = data_->TakeNewest(DataOwnerOf(*session));
  if (!provider) return NoPath("the agent has no connection parked");
  std::optional<ParkedSockets::Parked> own = data_->Take(consumer, open.parked_id);
  if (!own) return NoPath("the parked connection is gone");
  return Relay::Ends{std::move(own->socket), consumer, *std::move(provider), *std::move(slot)};
}

absl::Status Broker::OpenStitched(PendingStream& pending, OpenChannel open) {
  Session* const session =
      open.provider.region == region_ ? registry_.Find(open.provider) : nullptr;
  const std::string project = ProjectId(open.provider.project);
  const uint64_t id = openings_.DrawChannelId();
  absl::StatusOr<Relay::Ends> ends = TakeParked(*pending.data_owner(), open, session);
  absl::Status offered = ends.status();
  if (offered.ok()) {
    offered = session->Offer(id, open, pending.info().endpoint(), ends->provider.id);
  }
  if (!offered.ok()) {
    quotas_.ReturnOpening(project, loop_.Now());  // it comes again, over streams
    return offered;
  }
  Relay& relay = AddRelay(std::make_unique<Relay>(
      loop_, id, std::move(open), std::nullopt, pending.info().endpoint(), pending.TakeStream(),
      pending.TakeOpeningSlot(), quotas_.Count(project, loop_.Now()), times_.opening, *this));
  Stitch(relay, *session, *std::move(ends));
  trail_.Opened(relay);
  return absl::OkStatus();
}

// Unless that can be, nothing is changed: the channel may have a path that goes on.
absl::Status Broker::ResumeStitched(PendingStream& pending, OpenChannel open, Resumption resumption,
                                    Relay* older) {
  Session* const session = registry_.Find(open.provider);
  if (session != nullptr && session->id() != resumption.session_id) {
    return NoPath("the agent has another session");
  }
  if (session != nullptr && session->principal() && session->principal() != resumption.provider) {
    return NoPath("the agent has another key");
  }
  CULVERT_ASSIGN_OR_RETURN(Relay::Ends ends, TakeParked(*pending.data_owner(), open, session));
  CULVERT_RETURN_IF_ERROR(
      session->OfferResume(resumption, open, pending.info().endpoint(), ends.provider.id));
  if (older != nullptr) older->Cut(absl::AbortedError("superseded"));
  const uint64_t id = resumption.channel_id;
  Quotas::Channel counted = quotas_.Count(ProjectId(open.provider.project), loop_.Now());
  quotas_.Forget(id);
  auto created = std::make_unique<Relay>(
      loop_, id, std::move(open), std::move(resumption), pending.info().endpoint(),
      pending.TakeStream(), pending.TakeOpeningSlot(), std::move(counted), times_.opening, *this);
  if (const std::optional<CarriedBytes> carried = earlier_paths_.Take(id, loop_.Now())) {
    created->GoOnFrom(*carried);
  }
  Relay& relay = AddRelay(std::move(created));
  Stitch(relay, *session, std::move(ends));
  trail_.Resumed(relay);
  return absl::OkStatus();
}

void Broker::Stitch(Relay& relay, const Session& session, Relay::Ends ends) {
  openings_.AddOffered(relay, session.id(), relay.id());
  relay.OfferedTo(session.id(), relay.id(), times_.opening);
  openings_.SetOpen(relay);
  legacy_.Forget(relay.id());
  AcceptChannel accept;
  accept.provider = session.provider();
  accept.session_id = session.id();
  accept.channel_id = relay.id();
  accept.capabilities = session.capabilities();
  accept.end_to_end = relay.open().end_to_end;
  // The agent's own is in its Hello.
  accept.resume_timeout_s = relay.open().resume_timeout_s;
  accept.attempt = relay.attempt();
  accept.endpoint = session.endpoint();
  relay.Stitch(accept, session.principal(), *data_, std::move(ends));
  openings_.AddStitched(relay);
  KeepTicketFresh(relay);
}

void Broker::OnStitchFailed(Session& session, uint64_t channel_id, uint64_t parked_id) {
  Relay* const relay = openings_.FindChannel(channel_id);
  // An earlier path of the channel had another one.
  if (relay == nullptr || relay->session_id() != session.id() || !relay->IsOn(parked_id)) return;
  relay->LosePair();
}

// The consumer took the channel for open. For an opening the provider's word is final unless the
// broker's choice of an id was the fault; of a resume the consumer asks once more, over streams,
// where every answer has its place.
void Broker::HandleStitchRefused(Relay& relay, const OfferRefusal& refusal) {
  const absl::Status why = ErrorStatus(refusal.code, refusal.message);
  if (relay.resume() || refusal.code == tunnel::ErrorCode::kAlreadyExists) {
    relay.Cut(PathLost());
    return;
  }
  NotifyAndCut(relay, why);
}

// Who sees the reset first would begin to resume before it knows that there is nothing to resume.
void Broker::NotifyAndCut(Relay& relay, const absl::Status& why) {
  attachments_.Notify(relay.open(), CutNotice(relay.id(), why));
  std::unique_ptr<DataPlane::Pair> pair = relay.CutButPair(why);
  if (pair == nullptr) return;
  const uint64_t number = parting_pairs_.Add(std::move(pair));
  const bool waits = attachments_.WhenWritten(relay.open(), relay.consumer_process().id,
                                              [this, number] { parting_pairs_.Cut(number); });
  if (!waits) parting_pairs_.Cut(number);
}

}  // namespace culvert::broker
