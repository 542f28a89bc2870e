// The requests that flags and files make. Used inside src/forwarder only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/projects_config.h"
#include "ntt/proxies/v1/project.pb.h"
#include "ntt/proxies/v1/project_service.pb.h"

namespace culvert::forwarder {

// The projects that a command is about: those of its files, with the name and the flags put upon
// them, or without files one that has only these. INVALID_ARGUMENT if a name cannot be meant for
// what the files have. Blocks while a file is read.
absl::StatusOr<std::vector<ntt::proxies::v1::Project>> DescribedProjects(
    const config::ProjectsConfig& config);

// The same, where each has to have a name.
absl::StatusOr<std::vector<ntt::proxies::v1::Project>> NamedProjects(
    const config::ProjectsConfig& config);

// The names on the command line, and then those in the files.
absl::StatusOr<std::vector<std::string>> NamesOf(const config::ProjectsConfig& config);

// A policy is required: without one of its own a project gets an empty one.
ntt::proxies::v1::CreateProjectRequest CreateRequestOf(const ntt::proxies::v1::Project& project);

// Changes what --update-mask and the flags name; without both, which is then a file's project, all
// of it, but for the policy if the file has none.
ntt::proxies::v1::UpdateProjectRequest UpdateRequestOf(const config::ProjectsConfig& config,
                                                       const ntt::proxies::v1::Project& project);

}  // namespace culvert::forwarder
