// What a running program does at SIGHUP.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "base/log.h"
#include "base/status.h"
#include "config/credentials_policy.h"
#include "config/main.h"
#include "config/service_manager.h"

namespace culvert::config {

// Reads the configuration again and calls `apply(config)` if the program could start with it;
// otherwise logs why not. Tells systemd of both ends, at the second with `status()`.
template <class Config, class Apply, class StatusText>
void Reload(const ParseAgain<Config>& parse, Apply apply, StatusText status) {
  NotifyReloading();
  absl::StatusOr<Parsed<Config>> next = parse();
  // The command line is the one that the program runs with: it asks for nothing else.
  absl::Status usable = next.ok() ? CheckCredentials(next->config.value()) : next.status();
  if (usable.ok()) {
    apply(*std::move(next->config));
  } else {
    CULVERT_LOG(kError, "configuration not reloaded: {}", MessageOf(usable));
  }
  NotifyReady(status());
}

}  // namespace culvert::config
