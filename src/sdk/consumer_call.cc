#include "sdk/consumer_call.h"

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

// An answer that another try may change. What the provider said of the target is final.
bool WorthRetrying(ErrorCode code) {
  return code == ErrorCode::kOffline || code == ErrorCode::kBusy;
}

// What a gRPC status of the opening means as an error of ours.
absl::Status FromRpc(const absl::Status& status) {
  const std::string message(MessageOf(status));
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ErrorStatus(ErrorCode::kProtocol, "broker ended the opening without an answer");
    case absl::StatusCode::kNotFound:
      return ErrorStatus(ErrorCode::kUnknownProvider, message);
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:  // by a server that stops while the stream arrives
      return absl::UnavailableError(fmt::format("broker: {}", message));
    case absl::StatusCode::kResourceExhausted:  // a limit of the broker's, not of the provider's
      return ErrorStatus(ErrorCode::kBusy, fmt::format("broker: {}", message));
    default:
      return status;
  }
}

}  // namespace

ConsumerCall::ConsumerCall(ClientCore& core, Consumer::Request request,
                           std::unique_ptr<Outlet> outlet, Consumer::OnEnd on_end, Owner& owner)
    : core_(core),
      request_(std::move(request)),
      outlet_(std::move(outlet)),
      on_end_(std::move(on_end)),
      owner_(owner),
      timer_(core.loop()),
      deadline_(core.loop()),
      started_(MonotonicNow()) {}

ConsumerCall::~ConsumerCall() {
  if (outlet_ == nullptr) return;
  attachment_.reset();
  outlet_->Close(ErrorStatus(ErrorCode::kShutdown, "program is ending"));
}

void ConsumerCall::Start() {
  attachment_ = std::make_unique<EndpointAttachment>(
      *outlet_, [this](const absl::Status& why) { HandleStop(why); });
  deadline_.Start(request_.open_timeout, [this] {
    FailOpening(last_failure_.ok() ? ErrorStatus(ErrorCode::kTimeout, "no answer from the broker")
                                   : last_failure_);
  });
  backoff_.Next();
  TryOpen();
}

// The outlet does not want the channel any more, which is not open yet.
void ConsumerCall::HandleStop(const absl::Status& why) {
  FailOpening(why.ok() ? absl::CancelledError("ended before the channel was open") : why);
}

void ConsumerCall::TryOpen() {
  own_window_ = std::min(tunnel::ReceiveWindow::kInitialWindow, core_.budget().ShareOfNext());
  pb::ConnectRequest request;
  auto& open = *request.mutable_open_request();
  open.set_project(core_.options().project);
  open.set_region_id(core_.options().region);
  open.set_service_domain(core_.options().service_domain);
  open.set_name(core_.options().name);
  open.set_provider_name(request_.provider);
  open.set_service(request_.service);
  open.set_arg(request_.arg);
  open.set_caps(tunnel::kOwnCapabilities);
  open.set_window(own_window_);
  stream_ = core_.brokers().ForAttempt(attempt_).Start(rpc::Method::kConnect);
  stream_->SetDelegate(this);
  stream_->Write(rpc::Frame{request.SerializeAsString(), Bytes()});
  stream_->Read();
}

void ConsumerCall::OnMessage(Bytes message) {
  pb::ConnectResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    FailOpening(ErrorStatus(ErrorCode::kProtocol, "message from the broker does not parse"));
  } else if (response.has_open_response()) {
    HandleOpened(response.open_response());
  } else if (response.has_channel_open_error()) {
    HandleOpenError(response.channel_open_error());
  } else {
    stream_->Read();
  }
}

void ConsumerCall::HandleOpened(const pb::ConnectResponse::OpenResponse& response) {
  timer_.Cancel();
  deadline_.Cancel();
  attachment_.reset();
  tunnel::Channel::Options options;
  options.id = response.channel_id();
  options.peer_capabilities = response.caps();
  options.peer_window = response.window();
  options.own_window = own_window_;
  outlet_->Opened();
  driver_ =
      std::make_unique<ChannelDriver>(core_.loop(), options, core_.budget(), std::move(outlet_),
                                      static_cast<ChannelDriver::Owner&>(*this));
  driver_->Start(std::make_unique<rpc::StreamPath>(
                     std::move(stream_), rpc::EnvelopeType::kConnectRequest,
                     rpc::EnvelopeType::kConnectResponse, driver_->path_delegate()),
                 response.window());
}

void ConsumerCall::HandleOpenError(const pb::ConnectResponse::ChannelOpenError& error) {
  const ErrorCode code = ErrorCodeFromNumber(static_cast<uint32_t>(error.code()));
  const absl::Status why = ErrorStatus(code, error.message());
  // A broker that was away has forgotten its agents: they register again in a moment.
  const bool forgotten = code == ErrorCode::kUnknownProvider && broker_was_away_;
  if (WorthRetrying(code) || forgotten) {
    Retry(why);
  } else {
    FailOpening(why);
  }
}

void ConsumerCall::OnEnd(absl::Status status) {
  const absl::Status why = FromRpc(status);
  // The broker cannot be reached, is going away, or has too much under way.
  broker_was_away_ = broker_was_away_ || absl::IsUnavailable(why);
  if (absl::IsUnavailable(why) || WorthRetrying(ErrorCodeOf(why))) {
    Retry(why);
  } else {
    FailOpening(why);
  }
}

void ConsumerCall::Retry(const absl::Status& why) {
  stream_.reset();
  last_failure_ = why;
  ++attempt_;
  const Duration wait = backoff_.Next();
  CULVERT_LOG(kDebug, "{}: opening failed, next try in {:.2f} s: {}", Printable(request_.provider),
              ToSeconds(wait), Printable(MessageOf(why)));
  timer_.Start(wait, [this] { TryOpen(); });
}

void ConsumerCall::FailOpening(const absl::Status& why) {
  if (outlet_ == nullptr) return;
  timer_.Cancel();
  deadline_.Cancel();
  stream_.reset();
  attachment_.reset();
  outlet_->Close(why);
  core_.loop().Post([owned = std::move(outlet_)] {});  // it may be what called us
  ChannelReport report;
  report.status = why;
  report.reason = fmt::format("{}: {}", ErrorCodeText(ErrorCodeOf(why)), Printable(MessageOf(why)));
  report.duration = MonotonicNow() - started_;
  std::move(on_end_)(report);
  owner_.OnCallDone(*this);
}

void ConsumerCall::OnChannelEnded(ChannelDriver& driver) { std::move(on_end_)(driver.Report()); }

void ConsumerCall::OnDriverDone(ChannelDriver&) { owner_.OnCallDone(*this); }

}  // namespace culvert
