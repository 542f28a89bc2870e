// ProviderChannel's part in what happens between a path that was lost and the next one.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/opening.h"
#include "sdk/provider_channel.h"

namespace culvert {

namespace pb = ntt::proxies::v1;

// --- the loss ---

void ProviderChannel::OnPathLost(ChannelDriver& driver, const absl::Status& why) {
  // The broker has never joined the halves: the consumer left, and knows nothing to resume.
  if (absl::IsNotFound(why) && driver.channel().attempt() == 1) {
    GiveUp(ErrorStatus(ErrorCode::kPathLost, std::string(MessageOf(why))));
    return;
  }
  NoteSuspended(why);
}

void ProviderChannel::NoteSuspended(const absl::Status& why) {
  if (resume_timer_.is_set()) return;  // the path ended while it was being left for another one
  if (resume_time_ == Duration::zero()) {
    GiveUp(ErrorStatus(ErrorCode::kPathLost, std::string(MessageOf(why))));
    return;
  }
  resume_timer_.Start(resume_time_, [this, words = std::string(MessageOf(why))] {
    GiveUp(ErrorStatus(ErrorCode::kPathLost, fmt::format("not resumed within {:.0f} s: {}",
                                                         ToSeconds(resume_time_), words)));
  });
  place_.emplace(core_.suspended(), [this] {
    GiveUp(ErrorStatus(ErrorCode::kLimit, "memory is needed for channels that have a path"));
  });
  owner_.OnChannelSuspended(*this);
}

void ProviderChannel::Suspend(const absl::Status& why) {
  accept_.reset();
  if (driver_ != nullptr) driver_->Suspend(why);
}

void ProviderChannel::GiveUp(const absl::Status& why) {
  if (driver_ != nullptr) driver_->GiveUp(ErrorCodeOf(why), std::string(MessageOf(why)));
}

std::optional<tunnel::Tombstones::Tombstone> ProviderChannel::tombstone() const {
  if (driver_ == nullptr) return std::nullopt;
  const tunnel::Channel& channel = driver_->channel();
  if (channel.state() != tunnel::Channel::State::kEnded) return std::nullopt;
  const ErrorCode code = channel.outcome().code;
  return tunnel::Tombstones::Tombstone{channel.last_received_id(), channel.clean(),
                                       code == ErrorCode::kUnspecified ? ErrorCode::kReset : code};
}

// --- another path ---

void ProviderChannel::Resume(const pb::ListenResponse::ResumeChannelResponse& resume,
                             const Link& link) {
  if (HasAnswered(resume.attempt()) || RefusesResume(resume)) return;
  // From here on nothing more is received on the old path: what is stated as the last id stays it.
  accept_attempt_ = resume.attempt();
  accept_.reset();
  broker_ = link.broker;
  const absl::Status superseded =
      absl::UnavailableError(fmt::format("the consumer has path {}", resume.attempt()));
  driver_->Suspend(superseded);
  if (driver_->channel().state() != tunnel::Channel::State::kEnded) NoteSuspended(superseded);
  if (!RefusesResume(resume)) SendResumeAccept(resume, link.connection);
}

// An Accept may be lost with the connection that it was sent over: then the broker offers the same
// attempt again.
bool ProviderChannel::HasAnswered(uint32_t attempt) const {
  const uint32_t joined = driver_->channel().attempt();
  return attempt <= joined || attempt < accept_attempt_ ||
         (attempt == accept_attempt_ && accept_.has_value());
}

// The broker has authenticated who asks; that it is the one who opened the channel is checked here
// too.
bool ProviderChannel::RefusesResume(const pb::ListenResponse::ResumeChannelResponse& resume) {
  const tunnel::Channel& channel = driver_->channel();
  if (resume.consumer().spiffe_id() != request_.user ||
      resume.consumer().key_thumbprint() != request_.user_key) {
    owner_.OnChannelRefused(
        *this, ErrorStatus(ErrorCode::kDenied, "the channel is another consumer's"), 0);
    return true;
  }
  if (channel.state() == tunnel::Channel::State::kEnded) {
    owner_.OnChannelRefused(*this, ErrorStatus(tombstone()->AnswerCode(), "the channel has ended"),
                            channel.last_received_id());
    return true;
  }
  if (channel.Keeps(resume.last_message_id())) return false;
  const absl::Status gone = ErrorStatus(
      ErrorCode::kOutOfRange, "messages that the other end has not received are no longer kept");
  owner_.OnChannelRefused(*this, gone, 0);
  GiveUp(gone);
  return true;
}

void ProviderChannel::SendResumeAccept(const pb::ListenResponse::ResumeChannelResponse& resume,
                                       rpc::Connection& connection) {
  pb::AcceptRequest request;
  auto& accept = *request.mutable_resume_request();
  SetIdentity(core_.options(), accept);
  accept.set_session_id(session_id_);
  accept.set_channel_id(id());
  accept.set_last_message_id(driver_->channel().last_received_id());
  accept.set_caps(OwnCapabilities(core_));
  accept.set_window(driver_->channel().window());
  if (securing_) accept.set_e2e(culvert::v1::END_TO_END_REQUIRED);
  accept.set_resume_timeout_s(ResumeSeconds(core_.options()));
  accept.set_attempt(resume.attempt());
  accept_.emplace(core_.loop(), connection.Start(rpc::Method::kAccept), request,
                  [this, resume](absl::StatusOr<std::unique_ptr<rpc::Stream>> stream) {
                    HandleJoined(std::move(stream), resume);
                  });
}

// A path that does not come about leaves the channel as it was: the consumer tries again.
void ProviderChannel::HandleJoined(absl::StatusOr<std::unique_ptr<rpc::Stream>> stream,
                                   const pb::ListenResponse::ResumeChannelResponse& resume) {
  if (!stream.ok()) {
    CULVERT_LOG(kDebug, "[channel {:x}] path {} did not come about: {}", id(), resume.attempt(),
                Printable(MessageOf(stream.status())));
    accept_.reset();
    return;
  }
  resume_timer_.Cancel();
  place_.reset();
  owner_.OnChannelResumed(*this);
  driver_->Resume(resume.attempt(), PathOver(*std::move(stream)), resume.last_message_id(),
                  resume.window());
  accept_.reset();
}

}  // namespace culvert
