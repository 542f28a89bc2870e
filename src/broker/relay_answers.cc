// What a Relay says before messages pass through it, and what it has to tell of them afterwards.
#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/relay.h"
#include "culvert/error_code.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

namespace pb = ntt::proxies::v1;

// What the answers to an opening and to a resume have in common.
template <typename Answer>
void FillAnswer(const Relay& relay, const AcceptChannel& accept, Answer& answer) {
  answer.set_session_id(relay.session_id());
  answer.set_channel_id(relay.id());
  if (!tunnel::IsCapable(relay.open().capabilities)) return;
  answer.set_caps(accept.capabilities);
  answer.set_window(accept.window);
  answer.set_attempt(relay.attempt());
  answer.set_e2e(relay.end_to_end());
  answer.set_resume_timeout_s(relay.resume_timeout_s());
  if (relay.provider()) answer.set_provider_key(relay.provider()->key);
  answer.set_stitched(relay.is_stitched());
}

}  // namespace

void Relay::Accept(const AcceptChannel& accept, std::optional<Principal> who,
                   std::unique_ptr<rpc::Stream> provider) {
  provider_.stream = std::move(provider);
  provider_.stream->SetDelegate(&provider_);
  BeginRelaying(accept, std::move(who));
  if (OpenedCapable(provider_)) {
    pb::AcceptResponse accepted;
    accepted.mutable_accepted();
    provider_.stream->Write(rpc::FrameOf(accepted));
  }
  AnswerConsumer(accept);
  consumer_.stream->Read();
  provider_.stream->Read();
}

void Relay::BeginRelaying(const AcceptChannel& accept, std::optional<Principal> who) {
  CULVERT_CHECK(state_ == State::kOpening);
  timer_.Cancel();
  opening_ = SlotCounter::Slot();
  provider_capabilities_ = accept.capabilities;
  resume_timeout_s_ = resume_ ? resume_->timeout_s : AgreedResumeTime(open_, accept);
  end_to_end_ = resume_ ? open_.end_to_end : accept.end_to_end;
  accepted_by_ = std::move(who);
  provider_peer_ = accept.endpoint;
  SetState(State::kRelaying);
  if (resume_) CULVERT_LOG(kInfo, "[channel {:x}] resumed by {}, path {}", id_, Who(), attempt());
}

void Relay::Stitch(const AcceptChannel& accept, std::optional<Principal> who, DataPlane& plane,
                   Ends ends) {
  BeginRelaying(accept, std::move(who));
  pair_ = std::make_unique<DataPlane::Pair>(
      plane, std::move(ends.consumer), std::move(ends.provider.socket),
      [this](const net::SpliceEnd& end) { HandlePairEnd(end); }, counted_.rate());
  provider_parked_id_ = ends.provider.id;
  consumer_process_ = std::move(ends.consumer_process);
  provider_slot_ = std::move(ends.provider_slot);
  AnswerConsumer(accept);
  consumer_.stream->SetDelegate(nullptr);
}

// What the two ends said to each other is theirs: in order means that both have ended their
// connections so.
void Relay::HandlePairEnd(const net::SpliceEnd& end) {
  if (end.outcome == net::SpliceOutcome::kFinished) {
    End(absl::OkStatus(), absl::OkStatus(), absl::OkStatus());
    return;
  }
  LosePair();
}

void Relay::LosePair() {
  lost_ = Lost::kPair;
  End(PathLost(), PathLost(), PathLost());
}

CarriedBytes Relay::CarriedByThis() const {
  const auto moved = pair_ != nullptr ? pair_->moved() : std::array<uint64_t, 2>{};
  return {consumer_.bytes + moved[0], provider_.bytes + moved[1], started_};
}

CarriedBytes Relay::carried() const {
  const CarriedBytes own = CarriedByThis();
  return {earlier_.sent + own.sent, earlier_.received + own.received, earlier_.since};
}

void Relay::Notify(const culvert::v1::Notice& notice) {
  if (state_ != State::kRelaying || is_stitched()) return;  // those hear it on Attach and Listen
  if (OpenedCapable(consumer_)) {
    pb::ConnectResponse response;
    *response.mutable_notice() = notice;
    consumer_.stream->Write(rpc::FrameOf(response));
  }
  if (OpenedCapable(provider_)) {
    pb::AcceptResponse response;
    *response.mutable_notice() = notice;
    provider_.stream->Write(rpc::FrameOf(response));
  }
}

void Relay::AnswerConsumer(const AcceptChannel& accept) {
  pb::ConnectResponse response;
  if (resume_) {
    auto& resumed = *response.mutable_resume_response();
    resumed.set_last_message_id(accept.resume_after.value_or(0));  // a stitched end says it itself
    FillAnswer(*this, accept, resumed);
    if (OpenedCapable(consumer_)) resumed.set_ticket(owner_.MakeTicket(*this));
  } else {
    auto& opened = *response.mutable_open_response();
    FillAnswer(*this, accept, opened);
    if (OpenedCapable(consumer_)) opened.set_ticket(owner_.MakeTicket(*this));
  }
  consumer_.stream->Write(rpc::FrameOf(response));
}

void Relay::Refuse(tunnel::ErrorCode code, const std::string& message) {
  pb::ConnectResponse response;
  auto& error = *response.mutable_channel_open_error();
  error.set_channel_id(id_);
  error.set_message(message);
  if (OpenedCapable(consumer_)) error.set_code(static_cast<culvert::v1::ErrorCode>(code));
  consumer_.stream->Write(rpc::FrameOf(response));
  End(ErrorStatus(code, message), absl::OkStatus(), absl::OkStatus());
}

void Relay::Fail(const absl::Status& status, tunnel::ErrorCode code, Duration offline) {
  const absl::Status why = ErrorStatus(code, std::string(MessageOf(status)));
  if (open_.return_not_available && absl::IsNotFound(status)) {
    consumer_.stream->Write(NotAvailableLocally());
    End(why, absl::OkStatus(), absl::OkStatus());
    return;
  }
  if (OpenedCapable(consumer_)) {
    pb::ConnectResponse response;
    auto& error = *response.mutable_channel_open_error();
    error.set_message(std::string(MessageOf(status)));
    error.set_code(static_cast<culvert::v1::ErrorCode>(code));
    error.set_offline_ms(static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(offline).count()));
    consumer_.stream->Write(rpc::FrameOf(response));
  }
  End(why, status, absl::OkStatus());
}

void Relay::RefuseResume(const ResumeRefusal& refusal) {
  if (OpenedCapable(consumer_)) consumer_.stream->Write(refusal.ToFrame(id_));
  End(refusal.status, refusal.status, absl::OkStatus());
}

bool Relay::OpenedCapable(const Half& half) const {
  return tunnel::IsCapable(&half == &consumer_ ? open_.capabilities : provider_capabilities_);
}

std::string Relay::Who() const {
  return fmt::format("{} at {} -> {} {} {}", Printable(open_.consumer), peer_,
                     open_.provider.ToString(), Printable(open_.service), Printable(open_.arg));
}

void Relay::LogEnd() const {
  const double seconds = ToSeconds(outcome_.duration);
  const std::string why = DescribeError(ErrorCodeOf(outcome_.why), MessageOf(outcome_.why));
  if (!outcome_.opened) {
    CULVERT_LOG(kInfo, "[channel {:x}] {}: not opened, ended after {:.1f} s: {}", id_, Who(),
                seconds, why);
    return;
  }
  CULVERT_LOG(kInfo, "[channel {:x}] {}: ended after {:.1f} s, {} bytes up, {} down{}: {}", id_,
              Who(), seconds, outcome_.bytes_sent, outcome_.bytes_received,
              resume_ ? " since its resume" : "", outcome_.why.ok() ? "closed" : why);
}

}  // namespace culvert::broker
