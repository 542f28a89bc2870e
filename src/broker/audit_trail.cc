#include "broker/audit_trail.h"

#include <fmt/format.h>

#include <utility>

#include "base/resource_id.h"
#include "base/status.h"
#include "broker/legacy_channels.h"
#include "culvert/error_code.h"

namespace culvert::broker {
namespace {

void SetWhy(const absl::Status& why, AuditEvent& event) {
  if (why.ok()) return;
  event.code = absl::StatusCodeToString(why.code());
  const std::string_view kind = ErrorCodeText(ErrorCodeOf(why));
  const std::string words(MessageOf(why));
  // Made printable where the line is written, and only there.
  event.reason =
      words.find(kind) != std::string::npos || ErrorCodeOf(why) == ErrorCode::kUnspecified
          ? words
          : fmt::format("{}: {}", kind, words);
}

AuditEvent Of(const Session& session) {
  AuditEvent event;
  if (session.principal()) SetPrincipal(*session.principal(), event);
  event.project = ProjectId(session.provider().project);
  event.agent = session.provider().name;
  event.address = session.peer();
  return event;
}

AuditEvent Of(const Relay& relay) {
  AuditEvent event;
  if (relay.open().principal) SetPrincipal(*relay.open().principal, event);
  SetAsked(relay.open(), event);
  event.address = relay.peer();
  event.channel = fmt::format("{:x}", relay.id());
  return event;
}

// Who decided so, rather than what went wrong.
bool IsDenial(const absl::Status& why) {
  switch (ErrorCodeOf(why)) {
    case ErrorCode::kDenied:
    case ErrorCode::kAltered:
    case ErrorCode::kRevoked:
    case ErrorCode::kKilled:
      return true;
    default:
      return false;
  }
}

std::string WithoutPort(const std::string& endpoint) {
  return endpoint.substr(0, endpoint.rfind(':'));
}

AuditKind KindOf(const Relay::Outcome& outcome) {
  if (IsDenial(outcome.why)) return AuditKind::kDeny;
  return outcome.opened ? AuditKind::kClose : AuditKind::kFail;
}

}  // namespace

std::string ProjectId(const std::string& project) {
  return project.compare(0, kProjectPrefix.size(), kProjectPrefix) == 0
             ? project.substr(kProjectPrefix.size())
             : project;
}

void SetPrincipal(const Principal& who, AuditEvent& event) {
  event.project = who.id.project;
  event.principal = who.id.ToString();
  event.key = who.key;
}

void SetAsked(const OpenChannel& open, AuditEvent& event) {
  if (event.principal.empty()) event.project = ProjectId(open.provider.project);
  event.agent = open.provider.name;
  event.service = open.service;
  event.target = open.arg;
}

AuditEvent UserOf(const Relay& relay) {
  AuditEvent event;
  event.project = ProjectId(relay.open().provider.project);
  if (relay.open().principal) SetPrincipal(*relay.open().principal, event);
  event.address = relay.peer();
  return event;
}

AuditEvent AgentOf(const Relay& relay) {
  AuditEvent event;
  event.project = ProjectId(relay.open().provider.project);
  if (relay.provider()) SetPrincipal(*relay.provider(), event);
  event.agent = relay.open().provider.name;
  event.address = relay.provider_peer();
  return event;
}

AuditEvent AgentOf(const Session& session) {
  AuditEvent event = Of(session);
  event.address = session.endpoint();
  return event;
}

AuditTrail::AuditTrail(net::EventLoop& loop, Write write)
    : loop_(loop),
      write_(std::move(write)),
      by_key_(kRate, kMostKeys),
      of_all_(kRateOfAll, loop.Now()),
      gone_timer_(loop) {}

void AuditTrail::Registered(const Session& session) {
  if (write_) RecordLimited(Of(session), AuditKind::kRegister, MayRecord(session));
}

void AuditTrail::Unregistered(const Session& session, const absl::Status& why) {
  if (!write_) return;
  AuditEvent event = Of(session);
  event.duration = loop_.Now() - session.since();
  SetWhy(why, event);
  RecordLimited(std::move(event), AuditKind::kUnregister, MayRecord(session));
}

bool AuditTrail::MayRecord(const Session& session) {
  const MonotonicTime now = loop_.Now();
  return by_key_.For(session.provider().ToString(), now).Take(now);
}

void AuditTrail::Opened(const Relay& relay) {
  if (write_) Granted(Of(relay), AuditKind::kOpen);
}

void AuditTrail::Resumed(const Relay& relay) {
  if (!write_) return;
  AuditEvent event = Of(relay);
  event.reason = fmt::format("path {}", relay.attempt());
  const MonotonicTime now = loop_.Now();
  const bool may = by_key_.For(ConsumerOf(relay.open()), now).Take(now) && of_all_.Take(now);
  RecordLimited(std::move(event), AuditKind::kResume, may);
}

void AuditTrail::Ended(const Relay& relay) {
  if (!write_) return;
  const Relay::Outcome& outcome = relay.outcome();
  AuditEvent event = Of(relay);
  event.duration = outcome.duration;
  SetWhy(outcome.why, event);
  if (!outcome.opened) {
    RecordInVain(std::move(event), KindOf(outcome), WithoutPort(relay.peer()));
    return;
  }
  event.bytes_sent = outcome.bytes_sent;
  event.bytes_received = outcome.bytes_received;
  Granted(std::move(event), KindOf(outcome));
}

void AuditTrail::UserGone(const AuditEvent& who) {
  if (!write_) return;
  GoneUser& gone = gone_users_[who.address];
  gone.who = who;
  ++gone.channels;
  if (!gone_timer_.is_set()) gone_timer_.Start(kGoneTime, [this] { FlushGone(); });
}

void AuditTrail::FlushGone() {
  gone_timer_.Cancel();
  for (auto& [address, gone] : std::exchange(gone_users_, {})) {
    RecordGone(gone.who, "user's", gone.channels);
  }
}

void AuditTrail::AgentGone(AuditEvent who, size_t channels) {
  if (write_) RecordGone(std::move(who), "agent's", channels);
}

void AuditTrail::RecordGone(AuditEvent who, const std::string& whose, size_t channels) {
  who.reason =
      fmt::format("the {} program closed its connection and did not come back: {} channel{} cut",
                  whose, channels, channels == 1 ? "" : "s");
  const std::string address = WithoutPort(who.address);
  RecordInVain(std::move(who), AuditKind::kGone, address);
}

void AuditTrail::Granted(AuditEvent asked, AuditKind kind) {
  if (!write_) return;
  asked.kind = kind;
  write_(asked);
}

void AuditTrail::GrantEnded(AuditEvent event, const absl::Status& why) {
  SetWhy(why, event);
  Granted(std::move(event), absl::IsPermissionDenied(why) ? AuditKind::kDeny : AuditKind::kClose);
}

void AuditTrail::Denied(AuditEvent asked, const std::string& address, const absl::Status& why) {
  if (!write_) return;
  SetWhy(why, asked);
  RecordInVain(std::move(asked), AuditKind::kDeny, address);
}

void AuditTrail::RecordInVain(AuditEvent event, AuditKind kind, const std::string& address) {
  const MonotonicTime now = loop_.Now();
  RecordLimited(std::move(event), kind, by_key_.For(address, now).Take(now) && of_all_.Take(now));
}

void AuditTrail::RecordLimited(AuditEvent event, AuditKind kind, bool may) {
  if (!may) {
    ++left_out_;
    return;
  }
  if (const uint64_t left_out = std::exchange(left_out_, 0); left_out > 0) {
    event.reason +=
        fmt::format("{}({} more not recorded)", event.reason.empty() ? "" : " ", left_out);
  }
  Granted(std::move(event), kind);
}

}  // namespace culvert::broker
