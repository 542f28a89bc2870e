#include "forwarder/projects.h"

#include <memory>

#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "forwarder/make_client.h"
#include "forwarder/project_commands.h"
#include "forwarder/project_watch.h"

namespace culvert::forwarder {
namespace {

using Action = config::ProjectsConfig::Action;

absl::Status RunAction(const config::ForwarderConfig& config, int* failures) {
  const config::ProjectsConfig& projects = config.projects;
  if (projects.action == Action::kWatch) return WatchProjects(config);
  CULVERT_ASSIGN_OR_RETURN(const std::unique_ptr<ProjectClient> client,
                           ProjectClient::Make(config));
  switch (projects.action) {
    case Action::kList:
      return ListProjects(*client, projects);
    case Action::kGet:
      return GetProjects(*client, projects, failures);
    case Action::kCreate:
      return CreateProjects(*client, projects, failures);
    case Action::kUpdate:
      return UpdateProjects(*client, projects, failures);
    case Action::kDelete:
      return DeleteProjects(*client, projects, config.common.log_level >= LogLevel::kError,
                            failures);
    case Action::kWatch:
      break;
  }
  return absl::OkStatus();
}

}  // namespace

int RunProjects(const config::ForwarderConfig& config) {
  SetLogLevel(config.common.log_level);
  int failures = 0;
  const absl::Status done = RunAction(config, &failures);
  if (done.ok()) return failures == 0 ? 0 : config::kExitFailure;
  if (!absl::IsCancelled(done)) config::PrintError(kProgram, done);
  // Of a list a part is missing then; a watch has no end of its own.
  const bool is_enough = absl::IsCancelled(done) && config.projects.action == Action::kWatch;
  return is_enough ? 0 : config::kExitFailure;
}

}  // namespace culvert::forwarder
