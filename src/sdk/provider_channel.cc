#include "sdk/provider_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "rpc/stream_path.h"
#include "sdk/opening.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

ServiceRequest RequestOf(const pb::ListenResponse::OpenChannelResponse& offer) {
  return {offer.service(),
          offer.arg(),
          offer.consumer().address(),
          offer.channel_id(),
          offer.consumer().spiffe_id(),
          offer.consumer().key_thumbprint()};
}

tunnel::Channel::Options OptionsOf(const pb::ListenResponse::OpenChannelResponse& offer) {
  tunnel::Channel::Options options;
  options.id = offer.channel_id();
  options.peer_capabilities = offer.caps();
  options.peer_window = offer.window();
  return options;
}

// The shorter of what the two ends have said.
Duration ResumeTime(const ClientOptions& options,
                    const pb::ListenResponse::OpenChannelResponse& offer) {
  const Duration consumer = tunnel::IsCapable(offer.caps())
                                ? Duration(std::chrono::seconds(offer.resume_timeout_s()))
                                : Duration(ProviderChannel::kLegacyResumeTime);
  return std::min(consumer, Duration(options.resume_timeout));
}

}  // namespace

ProviderChannel::ProviderChannel(ClientCore& core, const Link& link,
                                 const pb::ListenResponse::OpenChannelResponse& offer,
                                 std::unique_ptr<net::TcpStream> connection, Owner& owner)
    : core_(core),
      connection_(link.connection),
      broker_(link.broker),
      session_id_(link.session_id),
      offer_(offer),
      request_(RequestOf(offer)),
      options_(OptionsOf(offer)),
      owner_(owner),
      started_(MonotonicNow()),
      resume_time_(ResumeTime(core.options(), offer)),
      resume_timer_(core.loop()),
      first_connection_(std::move(connection)),
      alive_(std::make_shared<ProviderChannel*>(this)) {}

ProviderChannel::~ProviderChannel() = default;

void ProviderChannel::Start(const ServiceFactory* factory, Plain plain) {
  if (factory == nullptr) {
    Refuse(ErrorStatus(ErrorCode::kUnknownService, fmt::format("service \"{}\" is not offered here",
                                                               Printable(request_.service))));
    return;
  }
  factory_ = factory;
  const bool encrypted =
      offer_.e2e() == culvert::v1::END_TO_END_REQUIRED && tunnel::IsCapable(offer_.caps());
  if (core_.end_to_end() != nullptr && encrypted && core_.end_to_end()->server() != nullptr) {
    Secure();
    return;
  }
  const absl::Status allowed = MayBePlain(encrypted, plain);
  if (allowed.ok()) {
    StartService();
  } else {
    Refuse(allowed);
  }
}

absl::Status ProviderChannel::MayBePlain(bool asked_encrypted, Plain plain) const {
  if (core_.end_to_end() == nullptr) return absl::OkStatus();
  if (asked_encrypted || plain == Plain::kNo) {
    return ErrorStatus(ErrorCode::kDenied, "only with end-to-end encryption");
  }
  if (first_connection_ != nullptr && !AllowsClearData(core_)) {
    return ErrorStatus(ErrorCode::kDenied,
                       "by the data port only with end-to-end encryption: the agent has not set "
                       "allow_clear_data");
  }
  return absl::OkStatus();
}

// What the other end asked for is what it has: it takes nothing else.
culvert::v1::EndToEnd ProviderChannel::end_to_end() const {
  if (securing_) return culvert::v1::END_TO_END_REQUIRED;
  return core_.end_to_end() == nullptr ? culvert::v1::END_TO_END_UNSPECIFIED
                                       : culvert::v1::END_TO_END_OFF;
}

bool ProviderChannel::MayBeStitched() const {
  return securing_.has_value() || AllowsClearData(core_);
}

// --- encrypted from end to end ---

void ProviderChannel::Secure() {
  culvert::v1::E2eHello expected;
  expected.set_project(core_.options().project);
  expected.set_region(core_.options().region);
  expected.set_service_domain(core_.options().service_domain);
  expected.set_provider(core_.options().name);
  expected.set_service(request_.service);
  expected.set_arg(request_.arg);
  expected.set_channel_id(request_.channel_id);
  securing_.emplace(*core_.end_to_end(), std::move(expected), offer_.consumer(),
                    [this](const absl::Status& status) { HandleHello(status); });
  state_ = State::kSecuring;
  options_.own_window =
      std::min(tunnel::ReceiveWindow::kInitialWindow, core_.budget().ShareOfNext());
  driver_ = std::make_unique<ChannelDriver>(core_.loop(), options_, core_.shares(), *securing_,
                                            static_cast<ChannelDriver::Owner&>(*this));
  SendAccept();
  securing_->Start(*driver_);
}

void ProviderChannel::HandleHello(const absl::Status& status) {
  if (!driver_->is_securing()) return;
  if (status.ok()) {
    StartService();
  } else {
    driver_->OnEndpointStop(status);
  }
}

void ProviderChannel::OpenSecured(const absl::Status& status) {
  if (!driver_->is_securing()) return;
  std::unique_ptr<crypto::TlsRecords> records = securing_->SendReady(status);
  if (!status.ok()) {
    driver_->OnEndpointStop(status);
    return;
  }
  LeaveStarting(State::kAccepted);
  driver_->Open(std::move(service_), std::move(records));
  driver_->Run();
  if (stopped_) driver_->OnEndpointStop(absl::OkStatus());  // Finish came before the channel
}

// --- the service ---

void ProviderChannel::StartService() {
  absl::StatusOr<std::unique_ptr<Service>> service = (*factory_)(request_);
  if (!service.ok()) {
    PostStarted(service.status());
    return;
  }
  service_ = *std::move(service);
  attachment_.emplace(*service_, static_cast<EndpointListener&>(*this));
  service_->Start(
      [this, alive = std::weak_ptr<ProviderChannel*>(alive_)](const absl::Status& status) {
        if (alive.lock() != nullptr) PostStarted(status);
      });
}

// In a later turn: the answer may come inside Start, or from what is to be destroyed.
void ProviderChannel::PostStarted(const absl::Status& status) {
  core_.loop().Post([this, alive = std::weak_ptr<ProviderChannel*>(alive_), status] {
    if (alive.lock() != nullptr) HandleStarted(status);
  });
}

void ProviderChannel::OnEndpointStop(absl::Status why) {
  if (stopped_) return;
  stopped_ = why;
  if (!why.ok()) PostStarted(why);
}

void ProviderChannel::HandleStarted(absl::Status status) {
  if (state_ != State::kStarting && state_ != State::kSecuring) return;
  if (status.ok() && stopped_) status = *stopped_;  // it broke after it had said that it started
  if (state_ == State::kSecuring) {
    OpenSecured(status);
  } else if (status.ok()) {
    Accept();
  } else {
    Refuse(status);
  }
}

void ProviderChannel::Refuse(const absl::Status& why) {
  if (state_ != State::kStarting) return;
  owner_.OnChannelRefused(*this, why, 0);
  CutIfStarting(why);
}

void ProviderChannel::Cut(const absl::Status& why) {
  if (driver_ != nullptr) GiveUp(why);
  CutIfStarting(why);
}

void ProviderChannel::Abort(const absl::Status& why) {
  if (driver_ != nullptr) driver_->OnEndpointStop(why);
  CutIfStarting(why);
}

// Also the second half of a refusal: one that cannot be sent has ended the session, and this with
// it.
void ProviderChannel::CutIfStarting(const absl::Status& why) {
  if (state_ != State::kStarting) return;
  LeaveStarting(State::kRefused);
  owner_.OnChannelReport(request_, FailedOpening(request_.channel_id, why, started_));
  owner_.OnChannelDone(*this);
}

void ProviderChannel::LeaveStarting(State to) {
  state_ = to;
  attachment_.reset();
  owner_.OnChannelStarted();
}

void ProviderChannel::Accept() {
  LeaveStarting(State::kAccepted);
  options_.own_window =
      std::min(tunnel::ReceiveWindow::kInitialWindow, core_.budget().ShareOfNext());
  driver_ =
      std::make_unique<ChannelDriver>(core_.loop(), options_, core_.shares(), std::move(service_),
                                      static_cast<ChannelDriver::Owner&>(*this));
  SendAccept();
  if (stopped_) driver_->OnEndpointStop(absl::OkStatus());  // Finish came before the channel
}

void ProviderChannel::SendAccept() {
  if (first_connection_ != nullptr) {
    JoinFirst();
    return;
  }
  pb::AcceptRequest request;
  auto& open = *request.mutable_open_request();
  SetIdentity(core_.options(), open);
  open.set_session_id(session_id_);
  open.set_channel_id(request_.channel_id);
  open.set_caps(OwnCapabilities(core_));
  open.set_e2e(end_to_end());
  open.set_window(options_.own_window);
  open.set_resume_timeout_s(ResumeSeconds(core_.options()));
  std::unique_ptr<rpc::Stream> stream = connection_.Start(rpc::Method::kAccept);
  stream->Write(rpc::FrameOf(request));
  driver_->Start(PathOver(std::move(stream)), options_.peer_window);
}

std::unique_ptr<tunnel::Path> ProviderChannel::PathOver(std::unique_ptr<rpc::Stream> stream) {
  return std::make_unique<rpc::StreamPath>(std::move(stream), rpc::EnvelopeType::kAcceptRequest,
                                           rpc::EnvelopeType::kAcceptResponse,
                                           driver_->path_delegate());
}

void ProviderChannel::OnChannelEnded(ChannelDriver& driver) {
  if (state_ == State::kSecuring) LeaveStarting(State::kRefused);  // it was never open
  owner_.OnChannelReport(request_, driver.Report());
}

void ProviderChannel::OnDriverDone(ChannelDriver&) {
  resume_timer_.Cancel();
  place_.reset();
  accept_.reset();
  joining_.reset();
  owner_.OnChannelDone(*this);
}

std::optional<ChannelStatus> ProviderChannel::Status() const {
  if (driver_ == nullptr || !driver_->is_open()) return std::nullopt;
  ChannelStatus status = driver_->Status();
  status.peer = request_.user.empty() ? request_.consumer : request_.user;
  status.service = request_.service;
  status.arg = request_.arg;
  status.stitched = is_stitched();
  status.encrypted = securing_.has_value();
  return status;
}

}  // namespace culvert
