// The Broker's side of identities: who a stream is, the calls about it, and what a change of the
// policy ends.
#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/broker.h"
#include "culvert/error_code.h"
#include "culvert/v1/identity.pb.h"

namespace culvert::broker {

absl::StatusOr<std::optional<Principal>> Broker::Identify(PendingStream& pending,
                                                          std::optional<Principal>* refused) {
  if (access_.gate == nullptr) return std::nullopt;
  std::optional<Principal> whose;
  absl::StatusOr<Principal> who = access_.gate->Identify(pending.info(), WallNow(), &whose);
  if (!who.ok()) {
    if (whose) SetPrincipal(*whose, pending.asked());
    if (refused != nullptr) *refused = std::move(whose);
    return who.status();
  }
  SetPrincipal(*who, pending.asked());
  return std::optional<Principal>(*std::move(who));
}

std::optional<std::string> Broker::FindCaller(const rpc::StreamInfo& info) const {
  if (access_.gate == nullptr) return std::string();
  const absl::StatusOr<Principal> who = access_.gate->Identify(info, WallNow());
  if (!who.ok()) return std::nullopt;
  return fmt::format("{} {}", who->project(), who->ToString());
}

void Broker::RefuseUnknown(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream) {
  AuditEvent asked;
  asked.address = info.endpoint();
  if (access_.gate != nullptr) {
    std::optional<Principal> refused;
    const absl::StatusOr<Principal> who = access_.gate->Identify(info, WallNow(), &refused);
    if (who.ok()) refused = *who;
    if (refused) SetPrincipal(*refused, asked);
  }
  const absl::Status why = absl::UnimplementedError("no such method");
  trail_.Denied(std::move(asked), info.peer, Annotate(why, Printable(info.path)));
  admission_.Refuse(info, std::move(stream), why);
}

absl::StatusOr<rpc::Frame> Broker::AnswerCall(PendingStream& pending, const Bytes& message) {
  if (access_.identity_calls == nullptr) {
    return absl::FailedPreconditionError("this broker runs with --insecure: it has no identities");
  }
  switch (pending.info().method) {
    case rpc::StreamInfo::Method::kEnroll: {
      CULVERT_ASSIGN_OR_RETURN(IdentityCalls::Issued issued,
                               access_.identity_calls->Enroll(message, WallNow()));
      return Record(std::move(issued), AuditKind::kEnrol, pending);
    }
    case rpc::StreamInfo::Method::kLogin: {
      CULVERT_ASSIGN_OR_RETURN(IdentityCalls::Issued issued,
                               access_.identity_calls->Login(message, WallNow()));
      return Record(std::move(issued), AuditKind::kLogin, pending);
    }
    default:
      return AnswerIdentified(pending, message);
  }
}

rpc::Frame Broker::Record(IdentityCalls::Issued issued, AuditKind kind, PendingStream& pending) {
  if (issued.to) {
    SetPrincipal(*issued.to, pending.asked());
    trail_.Granted(pending.asked(), kind);
  }
  return std::move(issued.answer);
}

absl::StatusOr<rpc::Frame> Broker::AnswerIdentified(PendingStream& pending, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<Principal> who, Identify(pending));
  CULVERT_CHECK(who.has_value());  // where there are identity calls there is a gate
  switch (pending.info().method) {
    case rpc::StreamInfo::Method::kRenew: {
      CULVERT_ASSIGN_OR_RETURN(
          IdentityCalls::Issued issued,
          access_.identity_calls->Renew(*who, pending.info(), message, WallNow()));
      return Record(std::move(issued), AuditKind::kRenew, pending);
    }
    case rpc::StreamInfo::Method::kWhoAmI:
      return access_.identity_calls->WhoAmI(*who, pending.info());
    case rpc::StreamInfo::Method::kListAgents:
      return ListAgents(*who);
    case rpc::StreamInfo::Method::kKeyRotations:
      return KeyRotations(*who, message);
    case rpc::StreamInfo::Method::kRequestConnection:
      return RequestConnection(*who, pending, message);
    default:
      return absl::UnimplementedError("not served here");
  }
}

absl::Status Broker::BeginProjectCall(PendingStream& pending, const Bytes& message) {
  if (access_.projects == nullptr) {
    return absl::FailedPreconditionError("this broker runs with --insecure: it keeps no projects");
  }
  CULVERT_ASSIGN_OR_RETURN(const std::optional<Principal> who, Identify(pending));
  CULVERT_CHECK(who.has_value());  // where there are projects there is a gate
  using Method = rpc::StreamInfo::Method;
  const Method method = pending.info().method;
  const bool is_watch = method == Method::kWatchProject || method == Method::kWatchProjects;
  if (draining_ && is_watch) return ShuttingDown();
  return access_.projects->Answer(*who, method, message, pending.asked(),
                                  [&pending] { return pending.TakeStream(); });
}

rpc::Frame Broker::ListAgents(const Principal& who) const {
  culvert::v1::ListAgentsResponse response;
  registry_.ForEach([&](const Session& session) {
    if (!access_.gate->MaySee(who, session.provider())) return;
    auto& agent = *response.add_agents();
    agent.set_name(session.provider().name);
    agent.set_region(session.provider().region);
    agent.set_service_domain(session.provider().service_domain);
    agent.set_address(session.peer());
    agent.set_online_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(loop_.Now() - session.since())
            .count());
    if (session.principal()) agent.set_key_thumbprint(session.principal()->key);
    for (const std::string& service : session.services()) agent.add_services(service);
  });
  return rpc::FrameOf(response);
}

absl::StatusOr<rpc::Frame> Broker::KeyRotations(const Principal& who, const Bytes& message) const {
  culvert::v1::KeyRotationsRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError("message does not parse");
  }
  // One that is not there is refused in the same words.
  if (!access_.gate->MaySee(who, {who.project(), region_, "", request.agent()})) {
    return absl::PermissionDeniedError(
        fmt::format("{} may open nothing at agent {}", who.ToString(), Printable(request.agent())));
  }
  return access_.identity_calls->KeyRotations(
      {who.id.trust_domain, who.id.project, crypto::SpiffeId::Role::kAgent, request.agent()});
}

void Broker::EndSession(uint64_t id, const absl::Status& why) {
  if (std::unique_ptr<Session> ended = registry_.Remove(id, loop_.Now())) {
    ended->End(why);
    RemoveSession(std::move(ended), why);
  }
}

void Broker::CutForGood(Relay& relay, const absl::Status& why) {
  using State = Relay::State;
  if (relay.state() == State::kEnded) return;
  const bool joined = relay.state() == State::kRelaying || relay.state() == State::kEnding;
  if (joined || relay.resume()) {
    TellCut(relay.open().provider, relay.session_id(), relay.id(), why);
  }
  if (joined) {
    NotifyAndCut(relay, why);
  } else if (!relay.resume()) {
    relay.Cut(why);
  } else {
    attachments_.Notify(relay.open(), CutNotice(relay.id(), why));
    relay.RefuseResume({why, ErrorCodeOf(why)});
    earlier_paths_.Forget(relay.id());
  }
}

void Broker::CheckPermissions() {
  loop_.AssertOnThread();
  if (access_.gate == nullptr) return;
  for (auto& [relay, owned] : relays_) {
    const absl::Status may = access_.gate->MayGoOn(relay->open(), relay->provider());
    if (!may.ok()) CutForGood(*relay, absl::PermissionDeniedError(std::string(MessageOf(may))));
  }
  std::vector<std::pair<uint64_t, absl::Status>> lost;
  registry_.ForEach([&](const Session& session) {
    const absl::Status may = access_.gate->MayGoOn(*session.principal());
    if (!may.ok()) lost.emplace_back(session.id(), may);
  });
  for (const auto& [id, why] : lost) EndSession(id, why);
  attachments_.Check([this](const Principal& who) { return access_.gate->MayGoOn(who); });
  raw_.Check([this](const RawRequest& request) { return MayGoOn(request); });
  if (access_.projects != nullptr) access_.projects->CheckPermissions();
}

}  // namespace culvert::broker
