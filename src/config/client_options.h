// What the agent and the forwarder have in common: how they come to the broker.
#pragma once

#include "config/changed_keys.h"
#include "config/endpoint.h"
#include "culvert/client.h"

namespace culvert::config {

// Of an AgentConfig or a ForwarderConfig.
template <class Config>
ClientOptions ClientOptionsOf(const Config& config) {
  ClientOptions options;
  options.brokers = ToStrings(config.brokers);
  options.project = config.project;
  options.region = config.region;
  options.service_domain = config.service_domain;
  options.name = config.name;
  options.memory_limit = config.common.memory_limit;
  options.resume_timeout = config.resume_timeout;
  options.path = config.path;
  options.allow_clear_data = config.allow_clear_data;
  options.insecure = config.common.insecure;
  options.state_dir = config.common.state_dir;
  options.rotate_key = config.rotate_key;
  return options;
}

// What of these counts from the next start only.
template <class Config>
ChangedKeys ChangedForNextStart(const Config& now, const Config& next) {
  ChangedKeys keys;
  keys.Note("broker", now.brokers, next.brokers);
  keys.Note("name", now.name, next.name);
  keys.Note("project", now.project, next.project);
  keys.Note("region", now.region, next.region);
  keys.Note("service_domain", now.service_domain, next.service_domain);
  keys.Note("memory_limit", now.common.memory_limit, next.common.memory_limit);
  keys.Note("resume_timeout", now.resume_timeout, next.resume_timeout);
  keys.Note("path", now.path, next.path);
  keys.Note("allow_clear_data", now.allow_clear_data, next.allow_clear_data);
  if constexpr (requires { now.end_to_end; }) keys.Note("e2e", now.end_to_end, next.end_to_end);
  if constexpr (requires { now.plaintext; }) keys.Note("plaintext", now.plaintext, next.plaintext);
  keys.Note("state_dir", now.common.state_dir, next.common.state_dir);
  if constexpr (requires { now.json; }) keys.Note("json", now.json, next.json);
  return keys;
}

}  // namespace culvert::config
