// What `culvert forward -L` and `culvert connect` are told, in ssh's grammar with the agent's name
// inserted. Messages say what was expected; the caller adds the text and where it stood.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/target.h"
#include "config/endpoint.h"

namespace culvert::config {

// One local port and what it leads to.
struct ForwardSpec {
  std::string bind_host = "127.0.0.1";  // an address without brackets, or kAllInterfaces
  uint16_t bind_port = 0;               // 0: the kernel chooses
  std::string agent;
  Target target;

  Endpoint bind() const { return {bind_host, bind_port}; }
  // bind:port:agent:host:port, which parses back to an equal ForwardSpec.
  std::string ToString() const;
  // "127.0.0.1:2222 -> edge-1 127.0.0.1:22", with the port that was bound in the end.
  std::string Arrow(uint16_t bound_port) const;
  friend bool operator==(const ForwardSpec&, const ForwardSpec&) = default;
};

// [bind_address:]port:agent:[host:]hostport. A first field of digits is the port; no bind_address
// means 127.0.0.1, an empty one or `*` all interfaces; no host means 127.0.0.1 at the agent.
absl::StatusOr<ForwardSpec> ParseForwardSpec(std::string_view text);

// The same from its three parts: [bind_address:]port, agent, [host:]hostport.
absl::StatusOr<ForwardSpec> ForwardSpecFrom(std::string_view local, std::string_view agent,
                                            std::string_view target);

// What `culvert connect` joins to its standard input and output.
struct ConnectSpec {
  std::string agent;
  Target target;

  // agent:host:port, which parses back to an equal ConnectSpec.
  std::string ToString() const;
  friend bool operator==(const ConnectSpec&, const ConnectSpec&) = default;
};

// agent:[host:]port
absl::StatusOr<ConnectSpec> ParseConnectSpec(std::string_view text);

}  // namespace culvert::config
