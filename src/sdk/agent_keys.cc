#include "sdk/agent_keys.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "crypto/key_rotation.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "rpc/key_rotation_message.h"

namespace culvert {
namespace {

// "PROJECT/AGENT".
std::string EntryOf(const crypto::Certificate& agent) {
  return agent.spiffe_id()->project + "/" + agent.spiffe_id()->name;
}

}  // namespace

AgentKeys::AgentKeys(net::EventLoop& loop, BrokerList& brokers, const std::string& state_dir,
                     std::map<std::string, std::string> pinned)
    : loop_(loop), brokers_(brokers), known_(state_dir), pinned_(std::move(pinned)) {}

absl::StatusOr<std::optional<std::string>> AgentKeys::Check(
    const crypto::Certificate& agent) const {
  const std::string entry = EntryOf(agent);
  const std::string& name = agent.spiffe_id()->name;
  const std::string& key = agent.public_key().id();
  if (const auto pinned = pinned_.find(entry); pinned != pinned_.end()) {
    if (pinned->second == key) return std::nullopt;
    return absl::PermissionDeniedError(fmt::format(
        "agent {} has the key {}, not {} as --agent-key says", name, key, pinned->second));
  }
  CULVERT_ASSIGN_OR_RETURN(std::optional<std::string> known, known_.Find(entry));
  if (known && *known != key) return known;
  if (known) return std::nullopt;
  CULVERT_ASSIGN_OR_RETURN(const KnownAgents::Verdict verdict, known_.Check(entry, key));
  if (verdict == KnownAgents::Verdict::kRecorded) {
    CULVERT_LOG(kWarning, "agent {} is seen for the first time; its key {} is recorded", name, key);
  }
  return std::nullopt;
}

AgentKeys::Succession::Succession(const AgentKeys& keys, const crypto::Certificate& agent,
                                  std::string known, OnDone on_done)
    : keys_(keys), agent_(agent), known_key_(std::move(known)), on_done_(std::move(on_done)) {
  Ask();
}

AgentKeys::Succession::~Succession() = default;

void AgentKeys::Succession::Ask() {
  culvert::v1::KeyRotationsRequest request;
  request.set_agent(agent_.spiffe_id()->name);
  broker_ = keys_.brokers_.Current(broker_);
  call_.emplace(keys_.loop_, keys_.brokers_.ForAttempt(broker_), rpc::Method::kKeyRotations,
                rpc::FrameOf(request), kLimit,
                [this](const absl::StatusOr<Bytes>& answer) { HandleAnswer(answer); });
}

void AgentKeys::Succession::HandleAnswer(const absl::StatusOr<Bytes>& answer) {
  call_.reset();
  if (absl::IsUnavailable(answer.status()) && ++asked_ < keys_.brokers_.size()) {
    broker_ = keys_.brokers_.After(broker_);
    Ask();
  } else {
    Finish(answer.ok() ? Follow(*answer) : answer.status());
  }
}

// The broker only carries the statements: nothing but signatures of the known key, and of those
// that it leads to, counts.
absl::Status AgentKeys::Succession::Follow(const Bytes& answer) const {
  culvert::v1::KeyRotationsResponse response;
  if (!response.ParseFromArray(answer.data(), static_cast<int>(answer.size()))) {
    return absl::InternalError("answer of the broker does not parse");
  }
  std::vector<crypto::KeyRotation> rotations;
  for (const auto& rotation : response.rotations()) {
    rotations.push_back(rpc::KeyRotationOf(rotation));
  }
  const std::string& key = agent_.public_key().id();
  CULVERT_RETURN_IF_ERROR(crypto::CheckKeyChain(rotations, *agent_.spiffe_id(), known_key_, key));
  CULVERT_RETURN_IF_ERROR(keys_.known_.Succeed(EntryOf(agent_), known_key_, key));
  CULVERT_LOG(kWarning, "agent {} has a new key {}; its old key {} vouches for it",
              agent_.spiffe_id()->name, key, known_key_);
  return absl::OkStatus();
}

void AgentKeys::Succession::Finish(const absl::Status& followed) {
  absl::Status why;
  if (!followed.ok()) {
    CULVERT_LOG(kWarning,
                "agent {} shows another key than it is known by, and nothing vouches for "
                "it: {}",
                agent_.spiffe_id()->name, Printable(MessageOf(followed)));
    // Says so in words, unless somebody has removed or replaced what was known by now.
    why = keys_.known_.Check(EntryOf(agent_), agent_.public_key().id()).status();
  }
  std::exchange(on_done_, nullptr)(std::move(why));
}

}  // namespace culvert
