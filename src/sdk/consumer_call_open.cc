// ConsumerCall once the broker says that the channel is open: securing it, what the driver says.
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/consumer_call.h"

namespace culvert {

namespace pb = ntt::proxies::v1;

void ConsumerCall::HandleOpened(const pb::ConnectResponse::OpenResponse& response) {
  timer_.Cancel();
  core_.attachment().Use(attempt_);
  core_.broker_use().NoteReached(core_.brokers().AddressForAttempt(attempt_), core_.loop().Now());
  tunnel::Channel::Options options;
  options.id = response.channel_id();
  options.peer_capabilities = response.caps();
  options.peer_window = response.window();
  options.own_window = own_window_;
  if (core_.end_to_end() == nullptr) {
    BeginPlain(options);
  } else if (response.e2e() == culvert::v1::END_TO_END_REQUIRED &&
             tunnel::IsCapable(response.caps())) {
    BeginSecuring(options);
  } else {
    FailOpening(ErrorStatus(ErrorCode::kDenied,
                            "the agent, or the broker for it, offers no "
                            "end-to-end encryption"));
    return;
  }
  core_.attachment().Use(attempt_);
  resume_.emplace(core_, request_.provider, response, attempt_, *driver_);
  driver_->Start(resume_->MakePath(std::move(stream_)), response.window());
  if (securing_) securing_->Start(*driver_);
}

void ConsumerCall::BeginPlain(const tunnel::Channel::Options& options) {
  LeaveOpening();
  Outlet& outlet = *outlet_;
  driver_ =
      std::make_unique<ChannelDriver>(core_.loop(), options, core_.budget(), std::move(outlet_),
                                      static_cast<ChannelDriver::Owner&>(*this));
  outlet.Opened();
}

// The outlet stays here until the agent says, inside TLS, that the channel is open.
void ConsumerCall::BeginSecuring(const tunnel::Channel::Options& options) {
  securing_.emplace(*core_.end_to_end(), own_, Hello(options.id),
                    [this](absl::StatusOr<std::unique_ptr<crypto::TlsRecords>> records) {
                      HandleSecured(std::move(records));
                    });
  driver_ = std::make_unique<ChannelDriver>(core_.loop(), options, core_.budget(), *securing_,
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

void ConsumerCall::HandleSecured(absl::StatusOr<std::unique_ptr<crypto::TlsRecords>> records) {
  if (!records.ok()) {
    driver_->OnEndpointStop(records.status());
    return;
  }
  if (!driver_->is_securing()) return;
  LeaveOpening();
  Outlet& outlet = *outlet_;
  driver_->Open(std::move(outlet_), *std::move(records));
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

std::optional<ChannelStatus> ConsumerCall::Status() const {
  if (driver_ == nullptr || !driver_->is_open()) return std::nullopt;
  ChannelStatus status = driver_->Status();
  status.peer = request_.provider;
  status.service = request_.service;
  status.arg = request_.arg;
  return status;
}

}  // namespace culvert
