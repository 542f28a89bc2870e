#include "agent/tcp_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert::agent {
namespace {

ErrorCode CodeOf(const absl::Status& dial_failure) {
  switch (net::DialErrorOf(dial_failure)) {
    case net::DialError::kRefused:
      return ErrorCode::kRefused;
    case net::DialError::kTimeout:
      return ErrorCode::kTimeout;
    case net::DialError::kUnreachable:
    case net::DialError::kOther:
      break;
  }
  return ErrorCode::kUnreachable;
}

}  // namespace

TcpService::TcpService(net::EventLoop& loop, Target target,
                       std::shared_ptr<const config::AllowList> allow, Duration dial_timeout)
    : loop_(loop),
      target_(std::move(target)),
      allow_(std::move(allow)),
      dial_timeout_(dial_timeout),
      timer_(loop) {}

TcpService::~TcpService() = default;

void TcpService::Start(TakenCallback started) {
  started_ = std::move(started);
  if (!allow_->MayAskFor(target_)) {
    Fail(ErrorCode::kDenied, absl::PermissionDeniedError(fmt::format(
                                 "{} is not on this agent's allow list", target_.ToString())));
    return;
  }
  deadline_ = MonotonicNow() + dial_timeout_;
  timer_.Start(dial_timeout_, [this] { HandleTimeout(); });
  resolution_.emplace(loop_, target_.host, target_.port,
                      [this](absl::StatusOr<std::vector<net::Address>> addresses) {
                        HandleResolved(std::move(addresses));
                      });
}

// A resolver that is dead takes longer than anybody waits.
void TcpService::HandleTimeout() {
  resolution_.reset();
  Fail(ErrorCode::kTimeout,
       absl::DeadlineExceededError(fmt::format("resolve {}: timed out", Printable(target_.host))));
}

void TcpService::HandleResolved(absl::StatusOr<std::vector<net::Address>> addresses) {
  resolution_.reset();
  timer_.Cancel();
  if (!addresses.ok()) {
    Fail(ErrorCode::kUnreachable, addresses.status());
    return;
  }
  std::vector<net::Address> allowed;
  for (const net::Address& address : *addresses) {
    if (allow_->Allows(target_, address)) allowed.push_back(address);
  }
  if (allowed.empty()) {
    Fail(ErrorCode::kDenied,
         absl::PermissionDeniedError(fmt::format(
             "{} resolves to no address on this agent's allow list", target_.ToString())));
    return;
  }
  dial_.emplace(loop_, std::move(allowed), std::max(Duration::zero(), deadline_ - MonotonicNow()),
                [this](absl::StatusOr<std::unique_ptr<net::TcpStream>> stream) {
                  HandleDialled(std::move(stream));
                });
}

void TcpService::HandleDialled(absl::StatusOr<std::unique_ptr<net::TcpStream>> stream) {
  dial_.reset();
  if (!stream.ok()) {
    Fail(CodeOf(stream.status()), stream.status());
    return;
  }
  stream_.emplace(*std::move(stream), [this](absl::Status why) { Break(std::move(why)); });
  std::exchange(started_, nullptr)(absl::OkStatus());
}

void TcpService::Fail(ErrorCode code, const absl::Status& why) {
  std::exchange(started_, nullptr)(ErrorStatus(code, std::string(MessageOf(why))));
}

void TcpService::Send(Bytes bytes, TakenCallback taken) {
  stream_->Send(std::move(bytes), std::move(taken));
}

void TcpService::SendEnd(TakenCallback taken) { stream_->SendEnd(std::move(taken)); }

void TcpService::Recv(ReceivedCallback received) { stream_->Recv(std::move(received)); }

void TcpService::Close(const absl::Status& why) {
  timer_.Cancel();
  resolution_.reset();
  dial_.reset();
  if (stream_) stream_->Close(why);
}

}  // namespace culvert::agent
