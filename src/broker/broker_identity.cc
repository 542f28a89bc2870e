// The Broker's side of identities: who a stream is, the calls about it, and what a change of the
// policy ends.
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "broker/broker.h"
#include "culvert/v1/identity.pb.h"

namespace culvert::broker {

absl::StatusOr<std::optional<Principal>> Broker::Identify(const rpc::StreamInfo& info) {
  if (access_.gate == nullptr) return std::nullopt;
  CULVERT_ASSIGN_OR_RETURN(Principal who,
                           access_.gate->Identify(info, std::chrono::system_clock::now()));
  return std::optional<Principal>(std::move(who));
}

absl::StatusOr<rpc::Frame> Broker::AnswerCall(const rpc::StreamInfo& info, const Bytes& message) {
  if (access_.identity_calls == nullptr) {
    return absl::FailedPreconditionError("this broker runs with --insecure: it has no identities");
  }
  if (info.method == rpc::StreamInfo::Method::kEnroll) {
    return access_.identity_calls->Enroll(message, std::chrono::system_clock::now());
  }
  if (info.method == rpc::StreamInfo::Method::kLogin) {
    return access_.identity_calls->Login(message, std::chrono::system_clock::now());
  }
  return AnswerIdentified(info, message);
}

absl::StatusOr<rpc::Frame> Broker::AnswerIdentified(const rpc::StreamInfo& info,
                                                    const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const std::optional<Principal> who, Identify(info));
  CULVERT_CHECK(who.has_value());  // where there are identity calls there is a gate
  switch (info.method) {
    case rpc::StreamInfo::Method::kRenew:
      return access_.identity_calls->Renew(*who, info, message, std::chrono::system_clock::now());
    case rpc::StreamInfo::Method::kWhoAmI:
      return access_.identity_calls->WhoAmI(*who, info);
    case rpc::StreamInfo::Method::kListAgents:
      return ListAgents(*who);
    default:
      return absl::UnimplementedError("not served here");
  }
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

void Broker::EndSession(uint64_t id, const absl::Status& why) {
  if (std::unique_ptr<Session> ended = registry_.Remove(id, loop_.Now())) {
    ended->End(why);
    RemoveSession(std::move(ended));
  }
}

void Broker::CheckPermissions() {
  loop_.AssertOnThread();
  if (access_.gate == nullptr) return;
  for (auto& [relay, owned] : relays_) {
    const absl::Status may = access_.gate->MayGoOn(relay->open(), relay->provider());
    if (!may.ok()) relay->Cut(absl::PermissionDeniedError(std::string(MessageOf(may))));
  }
  std::vector<std::pair<uint64_t, absl::Status>> lost;
  registry_.ForEach([&](const Session& session) {
    const absl::Status may = access_.gate->MayGoOn(*session.principal());
    if (!may.ok()) lost.emplace_back(session.id(), may);
  });
  for (const auto& [id, why] : lost) EndSession(id, why);
}

}  // namespace culvert::broker
