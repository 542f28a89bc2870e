// What the agent and the forwarder have in common: how they come to the broker.
#pragma once

#include <string>

#include "config/endpoint.h"
#include "culvert/client.h"

namespace culvert::config {

// Of an AgentConfig or a ForwarderConfig.
template <class Config>
ClientOptions ClientOptionsOf(const Config& config) {
  ClientOptions options;
  for (const Endpoint& broker : config.brokers) options.brokers.push_back(broker.ToString());
  options.project = config.project;
  options.region = config.region;
  options.service_domain = config.service_domain;
  options.name = config.name;
  options.memory_limit = config.common.memory_limit;
  options.insecure = config.common.insecure;
  return options;
}

// The keys of these that differ, "broker, name"; empty if none does. They count from the next
// start.
template <class Config>
std::string ChangedForNextStart(const Config& now, const Config& next) {
  std::string keys;
  const auto note = [&keys](const char* key, bool differs) {
    if (differs) keys += keys.empty() ? key : std::string(", ") + key;
  };
  note("broker", now.brokers != next.brokers);
  note("name", now.name != next.name);
  note("project", now.project != next.project);
  note("region", now.region != next.region);
  note("service_domain", now.service_domain != next.service_domain);
  note("memory_limit", now.common.memory_limit != next.common.memory_limit);
  note("state_dir", now.common.state_dir != next.common.state_dir);
  if constexpr (requires { now.json; }) note("json", now.json != next.json);
  return keys;
}

}  // namespace culvert::config
