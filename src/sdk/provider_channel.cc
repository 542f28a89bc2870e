#include "sdk/provider_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "rpc/stream_path.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

ServiceRequest RequestOf(const pb::ListenResponse::OpenChannelResponse& offer) {
  return {offer.service(), offer.arg(), offer.consumer().address(), offer.channel_id()};
}

tunnel::Channel::Options OptionsOf(const pb::ListenResponse::OpenChannelResponse& offer) {
  tunnel::Channel::Options options;
  options.id = offer.channel_id();
  options.peer_capabilities = offer.caps();
  options.peer_window = offer.window();
  return options;
}

}  // namespace

ProviderChannel::ProviderChannel(ClientCore& core, rpc::Connection& connection, uint64_t session_id,
                                 const pb::ListenResponse::OpenChannelResponse& offer, Owner& owner)
    : core_(core),
      connection_(connection),
      session_id_(session_id),
      request_(RequestOf(offer)),
      options_(OptionsOf(offer)),
      owner_(owner),
      started_(MonotonicNow()),
      alive_(std::make_shared<ProviderChannel*>(this)) {}

ProviderChannel::~ProviderChannel() = default;

void ProviderChannel::Start(const ServiceFactory* factory) {
  if (factory == nullptr) {
    Refuse(ErrorStatus(ErrorCode::kUnknownService, fmt::format("service \"{}\" is not offered here",
                                                               Printable(request_.service))));
    return;
  }
  absl::StatusOr<std::unique_ptr<Service>> service = (*factory)(request_);
  if (!service.ok()) {
    Refuse(service.status());
    return;
  }
  service_ = *std::move(service);
  service_->Start([this, alive = std::weak_ptr<ProviderChannel*>(alive_)](absl::Status status) {
    if (alive.lock() == nullptr) return;
    // In a later turn: the answer may come inside Start.
    core_.loop().Post([this, alive, status = std::move(status)] {
      if (alive.lock() != nullptr) HandleStarted(status);
    });
  });
}

void ProviderChannel::HandleStarted(const absl::Status& status) {
  if (status.ok()) {
    Accept();
  } else {
    Refuse(status);
  }
}

void ProviderChannel::Refuse(const absl::Status& why) {
  ChannelReport report;
  report.channel_id = request_.channel_id;
  report.status = why;
  report.reason = fmt::format("{}: {}", ErrorCodeText(ErrorCodeOf(why)), Printable(MessageOf(why)));
  report.duration = MonotonicNow() - started_;
  owner_.OnChannelRefused(*this, why);
  owner_.OnChannelReport(request_, report);
  owner_.OnChannelDone(*this);
}

void ProviderChannel::Accept() {
  options_.own_window =
      std::min(tunnel::ReceiveWindow::kInitialWindow, core_.budget().ShareOfNext());
  driver_ =
      std::make_unique<ChannelDriver>(core_.loop(), options_, core_.budget(), std::move(service_),
                                      static_cast<ChannelDriver::Owner&>(*this));
  pb::AcceptRequest request;
  auto& open = *request.mutable_open_request();
  open.set_project(core_.options().project);
  open.set_region_id(core_.options().region);
  open.set_service_domain(core_.options().service_domain);
  open.set_name(core_.options().name);
  open.set_session_id(session_id_);
  open.set_channel_id(request_.channel_id);
  open.set_caps(tunnel::kOwnCapabilities);
  open.set_window(options_.own_window);
  std::unique_ptr<rpc::Stream> stream = connection_.Start(rpc::Method::kAccept);
  stream->Write(rpc::Frame{request.SerializeAsString(), Bytes()});
  driver_->Start(std::make_unique<rpc::StreamPath>(
                     std::move(stream), rpc::EnvelopeType::kAcceptRequest,
                     rpc::EnvelopeType::kAcceptResponse, driver_->path_delegate()),
                 options_.peer_window);
}

void ProviderChannel::Abort(const absl::Status& why) {
  if (driver_ != nullptr) {
    driver_->Abort(why);
  } else {
    Refuse(why);
  }
}

void ProviderChannel::OnChannelEnded(ChannelDriver& driver) {
  owner_.OnChannelReport(request_, driver.Report());
}

void ProviderChannel::OnDriverDone(ChannelDriver&) { owner_.OnChannelDone(*this); }

}  // namespace culvert
