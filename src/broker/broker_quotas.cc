// The Broker's part in quotas of projects: who hears that one is used up.
#include "broker/broker.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "tunnel/message.h"

namespace culvert::broker {

void Broker::ReloadQuotas() {
  loop_.AssertOnThread();
  quotas_.Reload(loop_.Now());
}

QuotaUse Broker::QuotaUseOf(const std::string& project) {
  loop_.AssertOnThread();
  QuotaUse use = quotas_.UseOf(project, loop_.Now());
  use.agents = registry_.CountOf("projects/" + project);
  return use;
}

// A legacy consumer has the status and its words.
absl::Status Broker::TakeOpening(PendingStream& pending, const OpenChannel& open) {
  const auto over = quotas_.TakeOpening(ProjectId(open.provider.project), loop_.Now());
  if (!over) return absl::OkStatus();
  if (tunnel::IsCapable(open.capabilities)) pending.stream().Write(over->ToFrame(0));
  return over->status;
}

// A session that goes on, and one that takes another's place, are no more than there were.
absl::Status Broker::CheckAgents(PendingStream& pending, const OpenSession& open) {
  if (registry_.Find(open.provider) != nullptr) return absl::OkStatus();
  const std::string& project = open.provider.project;
  const auto over =
      quotas_.CheckAgents(ProjectId(project), registry_.CountOf(project), loop_.Now());
  if (!over) return absl::OkStatus();
  if (tunnel::IsCapable(open.capabilities)) {
    ntt::proxies::v1::ListenResponse response;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(over->retry_after).count();
    response.mutable_notice()->mutable_retry_after()->set_ms(static_cast<uint32_t>(wait));
    pending.stream().Write(rpc::FrameOf(response));
  }
  return over->status;
}

}  // namespace culvert::broker
