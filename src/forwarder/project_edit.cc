#include "forwarder/project_edit.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "forwarder/project_json.h"

namespace culvert::forwarder {
namespace {

using config::ProjectsConfig;
using ntt::proxies::v1::CreateProjectRequest;
using ntt::proxies::v1::UpdateProjectRequest;
using Edit = ProjectsConfig::Edit;

void Apply(const Edit& edit, Project* project) {
  if (!edit.labels.empty() || !edit.annotations.empty() || !edit.removed_labels.empty() ||
      !edit.removed_annotations.empty()) {
    auto& labels = *project->mutable_metadata()->mutable_labels();
    auto& annotations = *project->mutable_metadata()->mutable_annotations();
    for (const std::string& key : edit.removed_labels) labels.erase(key);
    for (const std::string& key : edit.removed_annotations) annotations.erase(key);
    for (const auto& [key, value] : edit.labels) labels[key] = value;
    for (const auto& [key, value] : edit.annotations) annotations[key] = value;
  }
  if (edit.regions) {
    auto& regions = *project->mutable_multi_region_policy()->mutable_enabled_regions();
    regions.Assign(edit.regions->begin(), edit.regions->end());
  }
  if (edit.control_region) {
    project->mutable_multi_region_policy()->set_default_control_region(*edit.control_region);
  }
}

// A file's project may leave its name to the command line.
absl::Status TakeName(const std::string& name, std::vector<Project>* projects) {
  if (name.empty()) return absl::OkStatus();
  Project& project = projects->front();
  if (projects->size() > 1) {
    return absl::InvalidArgumentError(
        fmt::format("{} cannot be the name of all {} projects in the files: leave it out", name,
                    projects->size()));
  }
  if (project.name().empty()) project.set_name(name);
  if (project.name() == name) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("the file has {}, not {}", Printable(project.name()), name));
}

std::vector<std::string> PathsOf(const Edit& edit) {
  std::vector<std::string> paths;
  for (const auto& entry : edit.labels) paths.push_back("metadata.labels." + entry.first);
  for (const auto& key : edit.removed_labels) paths.push_back("metadata.labels." + key);
  for (const auto& entry : edit.annotations) paths.push_back("metadata.annotations." + entry.first);
  for (const auto& key : edit.removed_annotations) paths.push_back("metadata.annotations." + key);
  if (edit.regions) paths.emplace_back("multi_region_policy.enabled_regions");
  if (edit.control_region) paths.emplace_back("multi_region_policy.default_control_region");
  return paths;
}

std::vector<std::string> PathsOf(const std::vector<std::string>& masks) {
  std::vector<std::string> paths;
  for (const std::string& mask : masks) {
    const std::vector<std::string> parts = absl::StrSplit(mask, ',');
    for (std::string part : parts) {
      absl::StripAsciiWhitespace(&part);
      if (!part.empty()) paths.push_back(std::move(part));
    }
  }
  return paths;
}

}  // namespace

absl::StatusOr<std::vector<Project>> DescribedProjects(const ProjectsConfig& config) {
  std::vector<Project> projects;
  for (const std::string& file : config.files) {
    CULVERT_ASSIGN_OR_RETURN(std::vector<Project> more, ReadProjects(file));
    for (Project& project : more) projects.push_back(std::move(project));
  }
  if (config.files.empty()) projects.emplace_back();
  for (Project& project : projects) {
    const bool is_id = !project.name().empty() && project.name().find('/') == std::string::npos;
    if (is_id) project.set_name("projects/" + project.name());
  }
  CULVERT_RETURN_IF_ERROR(TakeName(config.names.empty() ? "" : config.names.front(), &projects));
  for (Project& project : projects) Apply(config.edit, &project);
  return projects;
}

absl::StatusOr<std::vector<Project>> NamedProjects(const ProjectsConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(std::vector<Project> projects, DescribedProjects(config));
  for (size_t i = 0; i < projects.size(); ++i) {
    if (!projects[i].name().empty()) continue;
    return absl::InvalidArgumentError(
        fmt::format("project {} in the files has no name: which one is meant?", i + 1));
  }
  return projects;
}

absl::StatusOr<std::vector<std::string>> NamesOf(const ProjectsConfig& config) {
  std::vector<std::string> names = config.names;
  if (config.files.empty()) return names;
  ProjectsConfig files = config;
  files.names.clear();
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Project> projects, NamedProjects(files));
  for (const Project& project : projects) names.push_back(project.name());
  return names;
}

CreateProjectRequest CreateRequestOf(const Project& project) {
  CreateProjectRequest request;
  *request.mutable_project() = project;
  request.mutable_project()->mutable_multi_region_policy();
  return request;
}

UpdateProjectRequest UpdateRequestOf(const ProjectsConfig& config, const Project& project) {
  UpdateProjectRequest request;
  *request.mutable_project() = project;
  request.set_allow_missing(config.allow_missing);
  std::vector<std::string> paths = PathsOf(config.update_mask);
  if (config.files.empty() || !paths.empty()) {
    for (std::string& path : PathsOf(config.edit)) paths.push_back(std::move(path));
  }
  if (paths.empty() && !project.has_multi_region_policy()) paths.emplace_back("metadata");
  for (const std::string& path : paths) request.mutable_update_mask()->add_paths(path);
  // Of one that is to be made.
  request.mutable_project()->mutable_multi_region_policy();
  if (!config.resource_version.empty()) {
    auto& cas = *request.mutable_cas();
    cas.mutable_conditional_state()->mutable_metadata()->set_resource_version(
        config.resource_version);
    cas.mutable_field_mask()->add_paths("metadata.resource_version");
  }
  return request;
}

}  // namespace culvert::forwarder
