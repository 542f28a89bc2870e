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
  TellStitchLost();
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
  if (driver_ == nullptr) return;
  const bool first = joining_ && driver_->channel().attempt() == 0;
  joining_.reset();
  if (first) {
    GiveUp(ErrorStatus(ErrorCode::kPathLost, std::string(MessageOf(why))));
  } else {
    driver_->SuspendUnlessHeard(why);
  }
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
                             const Link& link, std::unique_ptr<net::TcpStream> connection) {
  if (HasAnswered(resume.attempt()) || RefusesResume(resume)) return;
  // From here on nothing more is received on the old path: what is stated as the last id stays it.
  accept_attempt_ = resume.attempt();
  accept_.reset();
  joining_.reset();
  broker_ = link.broker;
  // ABORTED, as a move is told, and not a loss.
  const std::string words = fmt::format("the consumer has path {}", resume.attempt());
  const absl::Status superseded =
      connection != nullptr ? absl::AbortedError(words) : absl::UnavailableError(words);
  driver_->Suspend(superseded);
  if (driver_->channel().state() != tunnel::Channel::State::kEnded) NoteSuspended(superseded);
  if (RefusesResume(resume)) return;
  if (connection != nullptr) {
    JoinAgain(resume.attempt(), resume.parked_id(), std::move(connection));
  } else {
    SendResumeAccept(resume, link.connection);
  }
}

// An Accept may be lost with the connection that it was sent over: then the broker offers the same
// attempt again.
bool ProviderChannel::HasAnswered(uint32_t attempt) const {
  const uint32_t joined = driver_->channel().attempt();
  return attempt <= joined || attempt < accept_attempt_ ||
         (attempt == accept_attempt_ && (accept_.has_value() || joining_.has_value()));
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
  // A consumer that moves to a stitched path goes on receiving, and acknowledging, after it has
  // asked: its Hello says what it has.
  if (resume.parked_id() != 0 || channel.Keeps(resume.last_message_id())) return false;
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
  accept.set_e2e(end_to_end());
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
  if (stream.ok()) {
    parked_id_ = 0;
    GoOn(resume.attempt(), PathOver(*std::move(stream)), resume.last_message_id(), resume.window());
  } else {
    HandleNotJoined(resume.attempt(), stream.status());
  }
  accept_.reset();
}

void ProviderChannel::HandleNotJoined(uint32_t attempt, const absl::Status& why) {
  CULVERT_LOG(kDebug, "[channel {:x}] path {} did not come about: {}", id(), attempt,
              Printable(MessageOf(why)));
}

void ProviderChannel::GoOn(uint32_t attempt, std::unique_ptr<tunnel::Path> path, uint64_t last_id,
                           uint64_t window) {
  resume_timer_.Cancel();
  place_.reset();
  owner_.OnChannelResumed(*this);
  driver_->Resume(attempt, std::move(path), last_id, window);
}

// --- on a stitched connection ---

PendingStitch::Meeting ProviderChannel::MeetingOf(uint32_t attempt) const {
  PendingStitch::Meeting meeting;
  meeting.own_role = stitch::HelloRole::kProvider;
  meeting.channel_id = id();
  meeting.attempt = attempt;
  meeting.last_id = driver_->channel().last_received_id();
  meeting.window = driver_->channel().window();
  meeting.resume_timeout_s = ResumeSeconds(core_.options());
  if (securing_) meeting.key = securing_->hello_key();
  return meeting;
}

// It was never open, so that a consumer that does not come has nothing to resume either.
void ProviderChannel::JoinFirst() {
  joining_.emplace(
      core_.loop(), std::move(first_connection_), MeetingOf(1), PendingStitch::kLimit,
      [this](absl::StatusOr<PendingStitch::Joined> joined) {
        joining_.reset();
        // It was cut meanwhile, and is about to be removed.
        if (driver_->channel().state() == tunnel::Channel::State::kEnded) return;
        if (!joined.ok()) {
          GiveUp(ErrorStatus(ErrorCode::kPathLost, std::string(MessageOf(joined.status()))));
          return;
        }
        parked_id_ = offer_.parked_id();
        joined->path->SetDelegate(driver_->path_delegate());
        driver_->Start(std::move(joined->path), joined->window);
      });
}

void ProviderChannel::JoinAgain(uint32_t attempt, uint64_t parked_id,
                                std::unique_ptr<net::TcpStream> connection) {
  joining_.emplace(core_.loop(), std::move(connection), MeetingOf(attempt), PendingStitch::kLimit,
                   [this, attempt, parked_id](absl::StatusOr<PendingStitch::Joined> joined) {
                     joining_.reset();
                     if (!joined.ok()) {
                       HandleNotJoined(attempt, joined.status());
                       // The consumer may have joined it.
                       owner_.OnStitchedPathLost(*this, parked_id);
                       return;
                     }
                     parked_id_ = parked_id;
                     joined->path->SetDelegate(driver_->path_delegate());
                     GoOn(attempt, std::move(joined->path), joined->last_id, joined->window);
                   });
}

}  // namespace culvert
