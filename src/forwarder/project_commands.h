// The commands of `culvert projects`, each in one function. Used inside src/forwarder only.
//
// Each returns what the process ends with. A command that goes on after a failure has printed that
// already: it counts them in `failures`.
#pragma once

#include "absl/status/status.h"
#include "config/forwarder_config.h"
#include "forwarder/project_client.h"

namespace culvert::forwarder {

absl::Status ListProjects(ProjectClient& client, const config::ProjectsConfig& config);
absl::Status GetProjects(ProjectClient& client, const config::ProjectsConfig& config,
                         int* failures);
absl::Status CreateProjects(ProjectClient& client, const config::ProjectsConfig& config,
                            int* failures);
absl::Status UpdateProjects(ProjectClient& client, const config::ProjectsConfig& config,
                            int* failures);
// Asks on a terminal, unless it is to be `quiet`.
absl::Status DeleteProjects(ProjectClient& client, const config::ProjectsConfig& config, bool quiet,
                            int* failures);

}  // namespace culvert::forwarder
