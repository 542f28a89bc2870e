// The Broker's part in raw connections: who may ask for one, and for how long it may go on.
#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"
#include "broker/broker.h"
#include "culvert/v1/control.pb.h"

namespace culvert::broker {
namespace {

// What is asked of the policy, and what the agent is found by.
OpenChannel Asked(const Principal& who, const std::string& region,
                  const v1::RequestConnectionRequest& message) {
  OpenChannel open;
  open.provider = {who.project(), region, message.service_domain(), message.agent()};
  open.consumer = who.id.name;
  open.service = kRendezvousService;
  open.principal = who;
  return open;
}

}  // namespace

absl::StatusOr<RawRequest> Broker::AllowRaw(const Principal& who, PendingStream& pending,
                                            const v1::RequestConnectionRequest& message) {
  if (!message.has_raw()) return absl::InvalidArgumentError("raw is the only kind of connection");
  RawRequest request{.who = who, .address = pending.info().endpoint()};
  pending.asked().service = kRendezvousService;
  if (message.agent().empty()) {
    if (!who.is_agent()) return request;
    return absl::PermissionDeniedError(fmt::format(
        "{} is no user: an agent may meet another agent only, by name", who.ToString()));
  }
  if (!IsResourceId(message.agent())) {
    return absl::InvalidArgumentError(
        fmt::format("agent \"{}\": expected the name of an agent", Printable(message.agent())));
  }
  if (!message.region_id().empty() && message.region_id() != region_) {
    return RegionNotServed(message.region_id());
  }
  OpenChannel open = Asked(who, region_, message);
  SetAsked(open, pending.asked());
  CULVERT_RETURN_IF_ERROR(access_.gate->MayConnect(open));
  const Session* const session = registry_.Find(open.provider);
  if (session == nullptr) {
    return absl::NotFoundError(
        fmt::format("agent {} is not online here", Printable(open.provider.name)));
  }
  request.with = std::move(open);
  request.agent = session->principal();
  return request;
}

absl::StatusOr<rpc::Frame> Broker::RequestConnection(const Principal& who, PendingStream& pending,
                                                     const Bytes& message) {
  if (draining_) return ShuttingDown();
  v1::RequestConnectionRequest parsed;
  if (!parsed.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError("message does not parse");
  }
  CULVERT_ASSIGN_OR_RETURN(RawRequest request, AllowRaw(who, pending, parsed));
  const std::string project = ProjectId(who.project());
  if (const auto over = quotas_.TakeOpening(project, loop_.Now())) return over->status;
  request.counted = std::make_shared<Quotas::Channel>(quotas_.Count(project, loop_.Now()));
  const absl::StatusOr<v1::RequestConnectionResponse> response = raw_.Ask(std::move(request));
  if (response.ok()) return rpc::FrameOf(*response);
  quotas_.ReturnOpening(project, loop_.Now());
  return response.status();
}

absl::Status Broker::MayGoOn(const RawRequest& request) const {
  return request.with ? access_.gate->MayGoOn(*request.with, request.agent)
                      : access_.gate->MayGoOn(request.who);
}

}  // namespace culvert::broker
