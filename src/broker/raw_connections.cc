#include "broker/raw_connections.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/random.h"
#include "culvert/error_code.h"

namespace culvert::broker {
namespace {

AuditEvent Describe(const RawRequest& request) {
  AuditEvent event;
  SetPrincipal(request.who, event);
  event.address = request.address;
  event.service = kRendezvousService;
  if (request.with) event.agent = request.with->provider.name;
  event.channel = fmt::format("{:x}", request.id);
  return event;
}

std::string Who(const RawRequest& request) {
  return request.with
             ? fmt::format("{} with agent {}", request.who.ToString(), request.with->provider.name)
             : request.who.ToString();
}

absl::Status WhyEnded(const net::SpliceEnd& end) {
  switch (end.outcome) {
    case net::SpliceOutcome::kFinished:
      return absl::OkStatus();
    case net::SpliceOutcome::kReset:
      return ErrorStatus(ErrorCode::kReset, "connection reset");
    case net::SpliceOutcome::kBroken:
      return ErrorStatus(ErrorCode::kReset, std::strerror(end.error));
    case net::SpliceOutcome::kCut:
      break;
  }
  return absl::AbortedError("cut");
}

absl::Status TooMany(const std::string& whose, size_t limit) {
  return absl::ResourceExhaustedError(
      fmt::format("too many rendezvous {} (limit {}): use or end some first", whose, limit));
}

}  // namespace

RawConnections::RawConnections(net::EventLoop& loop, DataPlane* data, AuditTrail& trail,
                               std::function<void()> on_end, const Limits& limits)
    : loop_(loop),
      data_(data),
      trail_(trail),
      on_end_(std::move(on_end)),
      limits_(limits),
      rendezvous_(loop, limits.waiting,
                  [this](RawRequest request, net::UniqueFd consumer, net::UniqueFd provider) {
                    Join(std::move(request), std::move(consumer), std::move(provider));
                  }) {
  rendezvous_.SetOnUnmet([this](const RawRequest& request, const absl::Status& why) {
    CULVERT_LOG(kInfo, "[rendezvous {:x}] ended unmet: {}", request.id, Printable(MessageOf(why)));
    trail_.GrantEnded(Describe(request), why);
  });
  if (data_ == nullptr) return;
  data_->SetOtherTokens([this](std::string_view token, net::UniqueFd& socket) {
    return rendezvous_.Present(token, socket) == Rendezvous::Result::kTaken;
  });
}

RawConnections::~RawConnections() {
  if (data_ != nullptr) data_->SetOtherTokens(nullptr);
}

size_t RawConnections::CountOf(const std::string& owner) const {
  const auto found = joined_of_.find(owner);
  return rendezvous_.CountOf(owner) + (found == joined_of_.end() ? 0 : found->second);
}

absl::StatusOr<culvert::v1::RequestConnectionResponse> RawConnections::Ask(RawRequest request) {
  const uint32_t port = data_ == nullptr ? 0 : data_->advertised_port();
  if (port == 0) {
    return absl::FailedPreconditionError("this broker has no data port, where programs could meet");
  }
  const std::string owner = request.owner();
  if (CountOf(owner) >= limits_.per_owner) return TooMany("of yours", limits_.per_owner);
  if (joined_.size() + waiting() >= limits_.most) return TooMany("in all", limits_.most);
  if (rendezvous_.CountOf(owner) >= limits_.waiting.per_owner) {
    return TooMany("of yours that wait", limits_.waiting.per_owner);
  }
  request.id = crypto::RandomId();
  const AuditEvent event = Describe(request);
  CULVERT_LOG(kInfo, "[rendezvous {:x}] asked for by {}", request.id, Who(request));
  std::optional<Rendezvous::Tokens> tokens = rendezvous_.Make(std::move(request));
  if (!tokens) return TooMany("in all that wait", limits_.waiting.most);
  trail_.Granted(event, AuditKind::kRendezvous);
  culvert::v1::RequestConnectionResponse response;
  response.set_consumer_token(std::move((*tokens)[0]));
  response.set_provider_token(std::move((*tokens)[1]));
  response.set_data_port(port);
  const auto within = std::chrono::duration_cast<std::chrono::milliseconds>(rendezvous_.lifetime());
  response.set_expires_ms(static_cast<uint32_t>(within.count()));
  return response;
}

void RawConnections::Join(RawRequest request, net::UniqueFd consumer, net::UniqueFd provider) {
  const uint64_t id = request.id;
  CULVERT_LOG(kInfo, "[rendezvous {:x}] joined", id);
  trail_.Granted(Describe(request), AuditKind::kOpen);
  ++joined_of_[request.owner()];
  auto rate = request.counted != nullptr ? request.counted->rate() : nullptr;
  Joined& joined = joined_[id];
  joined.request = std::move(request);
  joined.since = loop_.Now();
  joined.pair = std::make_unique<DataPlane::Pair>(
      *data_, std::move(consumer), std::move(provider),
      [this, id](const net::SpliceEnd& end) { HandleEnd(id, end); }, std::move(rate));
}

void RawConnections::HandleEnd(uint64_t id, const net::SpliceEnd& end) {
  const auto found = joined_.find(id);
  CULVERT_CHECK(found != joined_.end());
  End(found, WhyEnded(end));
}

RawConnections::AllJoined::iterator RawConnections::End(AllJoined::iterator joined,
                                                        const absl::Status& why) {
  const RawRequest& request = joined->second.request;
  joined->second.pair->Cut();  // nothing where it has ended by itself
  const auto [sent, received] = joined->second.pair->moved();
  const Duration duration = loop_.Now() - joined->second.since;
  CULVERT_LOG(kInfo, "[rendezvous {:x}] ended after {:.1f} s, {} bytes up, {} down: {}",
              joined->first, ToSeconds(duration), sent, received,
              why.ok() ? "closed" : Printable(MessageOf(why)));
  AuditEvent event = Describe(request);
  event.bytes_sent = sent;
  event.bytes_received = received;
  event.duration = duration;
  trail_.GrantEnded(std::move(event), why);
  const auto count = joined_of_.find(request.owner());
  CULVERT_CHECK(count != joined_of_.end());
  if (--count->second == 0) joined_of_.erase(count);
  const auto next = joined_.erase(joined);
  on_end_();
  return next;
}

void RawConnections::Check(absl::FunctionRef<absl::Status(const RawRequest&)> may) {
  const auto denied = [&may](const RawRequest& request) -> absl::Status {
    const absl::Status allowed = may(request);
    if (allowed.ok()) return absl::OkStatus();
    return absl::PermissionDeniedError(std::string(MessageOf(allowed)));
  };
  rendezvous_.EndIf(denied);
  for (auto it = joined_.begin(); it != joined_.end();) {
    const absl::Status allowed = denied(it->second.request);
    it = allowed.ok() ? std::next(it) : End(it, allowed);
  }
}

void RawConnections::StopWaiting() {
  rendezvous_.EndIf(
      [](const RawRequest&) { return absl::UnavailableError("the broker is about to stop"); });
}

void RawConnections::EndAll(const absl::Status& why) {
  StopWaiting();
  for (auto it = joined_.begin(); it != joined_.end();) it = End(it, why);
}

}  // namespace culvert::broker
