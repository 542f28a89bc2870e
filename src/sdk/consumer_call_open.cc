// ConsumerCall once the broker says that the channel is open: securing it, what the driver says.
#include <algorithm>
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/consumer_call.h"
#include "sdk/opening.h"

namespace culvert {

namespace pb = ntt::proxies::v1;

namespace {

// What was asked for is what is taken: neither end nor the broker changes it. Nothing is checked
// where there are no identities.
absl::Status CheckEndToEnd(ClientCore& core, const pb::ConnectResponse::OpenResponse& response) {
  const bool required = response.e2e() == culvert::v1::END_TO_END_REQUIRED;
  if (core.end_to_end() == nullptr) return absl::OkStatus();
  if (Encrypts(core) && !(required && tunnel::IsCapable(response.caps()))) {
    return ErrorStatus(ErrorCode::kDenied,
                       "the agent, or the broker for it, offers no end-to-end encryption");
  }
  if (!Encrypts(core) && required) {
    return ErrorStatus(ErrorCode::kDenied,
                       "the agent, or the broker for it, wants end-to-end encryption, which is off "
                       "here");
  }
  return absl::OkStatus();
}

}  // namespace

void ConsumerCall::HandleOpened(const pb::ConnectResponse::OpenResponse& response) {
  timer_.Cancel();
  core_.attachment().Use(attempt_);
  core_.broker_use().NoteReached(core_.brokers().AddressForAttempt(attempt_), core_.loop().Now());
  if (const absl::Status agreed = CheckEndToEnd(core_, response); !agreed.ok()) {
    FailOpening(agreed);
  } else if (joining_) {
    Join(response);
  } else {
    Begin(response, nullptr);
  }
}

// The broker has joined the connection with one of the provider's, which says Hello at once, or on
// a plain channel when it has dialled.
void ConsumerCall::Join(const pb::ConnectResponse::OpenResponse& response) {
  if (response.channel_id() == 0) {
    FailOpening(ErrorStatus(ErrorCode::kProtocol, "the broker names no channel"));
    return;
  }
  opened_ = response;
  const Duration limit = Encrypts(core_) ? PendingStitch::kLimit : request_.open_timeout;
  stream_.reset();
  joining_->Name(response.channel_id(), limit);
}

void ConsumerCall::HandleJoined(absl::StatusOr<PendingStitch::Joined> joined) {
  joining_.reset();
  if (!joined.ok()) {
    if (absl::IsDeadlineExceeded(joined.status())) {
      core_.attachment().stitched().NoteNotJoined(request_.provider);
      TryOverStream();
    } else {
      // A reset is quicker than the broker's word on why.
      parted_ = true;
      timer_.Start(kReasonTime, [this] { TryOverStream(); });
    }
    return;
  }
  opened_.set_window(joined->window);
  opened_.set_resume_timeout_s(std::min(opened_.resume_timeout_s(), joined->resume_timeout_s));
  Begin(opened_, std::move(joined->path));
}

void ConsumerCall::Begin(const pb::ConnectResponse::OpenResponse& response,
                         std::unique_ptr<stitch::StitchPath> stitched) {
  tunnel::Channel::Options options;
  options.id = response.channel_id();
  options.peer_capabilities = response.caps();
  options.peer_window = response.window();
  options.own_window = own_window_;
  Encrypts(core_) ? BeginSecuring(options) : BeginPlain(options);
  core_.attachment().Use(attempt_);
  resume_.emplace(core_, request_.provider, response, attempt_, *driver_);
  driver_->Start(stitched != nullptr ? resume_->TakePath(std::move(stitched))
                                     : resume_->MakePath(std::move(stream_)),
                 response.window());
  if (securing_) securing_->Start(*driver_, std::exchange(early_, std::nullopt));
}

void ConsumerCall::BeginPlain(const tunnel::Channel::Options& options) {
  LeaveOpening();
  Outlet& outlet = *outlet_;
  driver_ =
      std::make_unique<ChannelDriver>(core_.loop(), options, core_.shares(), std::move(outlet_),
                                      static_cast<ChannelDriver::Owner&>(*this));
  outlet.Opened();
}

// The outlet stays here until the agent says, inside TLS, that the channel is open.
void ConsumerCall::BeginSecuring(const tunnel::Channel::Options& options) {
  securing_.emplace(*core_.end_to_end(), own_, Hello(options.id),
                    [this](absl::StatusOr<ConsumerSecuring::Secured> secured) {
                      HandleSecured(std::move(secured));
                    });
  driver_ = std::make_unique<ChannelDriver>(core_.loop(), options, core_.shares(), *securing_,
                                            static_cast<ChannelDriver::Owner&>(*this));
}

culvert::v1::E2eHello ConsumerCall::Hello(uint64_t channel_id) const {
  culvert::v1::E2eHello hello;
  hello.set_project(core_.options().project);
  hello.set_region(core_.options().region);
  hello.set_service_domain(core_.options().service_domain);
  hello.set_provider(request_.provider);
  hello.set_service(request_.service);
  hello.set_arg(request_.arg);
  hello.set_channel_id(channel_id);
  hello.set_e2e_version(kEndToEndVersion);
  return hello;
}

void ConsumerCall::HandleSecured(absl::StatusOr<ConsumerSecuring::Secured> secured) {
  if (!secured.ok()) {
    driver_->OnEndpointStop(secured.status());
    return;
  }
  if (!driver_->is_securing()) return;
  LeaveOpening();
  Outlet& outlet = *outlet_;
  resume_->SetKey(std::move(secured->hello_key));
  driver_->Open(std::move(outlet_), std::move(secured->records));
  outlet.Opened();
  driver_->Run();
}

void ConsumerCall::StopSecuring(const absl::Status& why) {
  if (std::exchange(lost_while_securing_, std::nullopt)) {
    EndUnopened(why);  // the channel is ending already
  } else {
    driver_->OnEndpointStop(why);
  }
}

void ConsumerCall::OnChannelEnded(ChannelDriver& driver) {
  if (outlet_ == nullptr) {
    std::move(on_end_)(driver.Report());
    return;
  }
  // It was never open: nobody has said anything yet.
  const absl::Status why = driver.Report().status;
  if (ErrorCodeOf(why) == ErrorCode::kPathLost && deadline_.is_set()) {
    lost_while_securing_ = why;
    return;
  }
  EndUnopened(why);
}

void ConsumerCall::OnDriverDone(ChannelDriver&) {
  resume_->Stop();
  if (!lost_while_securing_) {
    owner_.OnCallDone(*this);
    return;
  }
  last_failure_ = *std::exchange(lost_while_securing_, std::nullopt);
  timer_.Start(backoff_.Next(), [this] {
    resume_.reset();
    driver_.reset();
    securing_.reset();
    TryOpen();
  });
}

void ConsumerCall::OnPathLost(ChannelDriver&, const absl::Status& why) { resume_->OnPathLost(why); }

void ConsumerCall::OnPathDoubtful(ChannelDriver&) { resume_->OnPathDoubtful(); }

std::optional<ChannelStatus> ConsumerCall::Status() const {
  if (driver_ == nullptr || !driver_->is_open()) return std::nullopt;
  ChannelStatus status = driver_->Status();
  status.peer = request_.provider;
  status.service = request_.service;
  status.arg = request_.arg;
  status.stitched = resume_->is_stitched();
  status.encrypted = securing_.has_value();
  return status;
}

}  // namespace culvert
