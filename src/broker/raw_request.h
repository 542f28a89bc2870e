// Who asked for two programs to meet at the data port, and with whom.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "broker/principal.h"
#include "broker/quotas.h"
#include "broker/requests.h"

namespace culvert::broker {

// What the policy is asked for where an agent is named.
inline constexpr char kRendezvousService[] = "rendezvous";

struct RawRequest {
  Principal who;
  std::string address = {};  // where the request came from, with its port
  uint64_t id = 0;           // random; for logs and records
  // Where an agent is named: what the policy was asked, and who the agent was.
  std::optional<OpenChannel> with = std::nullopt;
  std::optional<Principal> agent = std::nullopt;
  // As a channel of the project, from when it was asked for until it has ended.
  std::shared_ptr<Quotas::Channel> counted = nullptr;

  // Whose limits it counts in.
  std::string owner() const { return who.id.ToString(); }
};

}  // namespace culvert::broker
