#include "forwarder/project_edit.h"

#include <string>
#include <vector>

#include "config/projects_config.h"
#include "tests/support/catch.h"
#include "tests/support/temp_directory.h"

namespace culvert::forwarder {
namespace {

using config::ProjectsConfig;
using ntt::proxies::v1::Project;
using ntt::proxies::v1::UpdateProjectRequest;
using test::TempDirectory;

std::vector<std::string> Paths(const UpdateProjectRequest& request) {
  return {request.update_mask().paths().begin(), request.update_mask().paths().end()};
}

std::string WriteFile(const TempDirectory& directory, const std::string& text) {
  directory.Write("project.yaml", text);
  return directory.File("project.yaml");
}

ProjectsConfig LabelsAndRegions() {
  ProjectsConfig config;
  config.names = {"projects/lab"};
  config.edit.labels = {{"env", "prod"}, {"example.org/team", "core=a"}};
  config.edit.removed_labels = {"old"};
  config.edit.annotations = {{"note", ""}};
  config.edit.regions = std::vector<std::string>{"east", "west"};
  config.edit.control_region = "east";
  return config;
}

TEST_CASE("A project is made of its name and flags, with a policy in any case", "[project_edit]") {
  const auto projects = DescribedProjects(LabelsAndRegions());
  REQUIRE(projects.ok());
  REQUIRE(projects->size() == 1);
  const Project& project = projects->front();
  CHECK(project.name() == "projects/lab");
  CHECK(project.metadata().labels().at("example.org/team") == "core=a");
  CHECK(project.metadata().annotations().at("note").empty());
  CHECK(project.multi_region_policy().enabled_regions_size() == 2);
  CHECK(project.multi_region_policy().default_control_region() == "east");
  CHECK(CreateRequestOf(Project()).project().has_multi_region_policy());
}

TEST_CASE("An update by flags is about what they name alone", "[project_edit]") {
  const ProjectsConfig config = LabelsAndRegions();
  const UpdateProjectRequest request = UpdateRequestOf(config, DescribedProjects(config)->front());
  CHECK(Paths(request) ==
        std::vector<std::string>{"metadata.labels.env", "metadata.labels.example.org/team",
                                 "metadata.labels.old", "metadata.annotations.note",
                                 "multi_region_policy.enabled_regions",
                                 "multi_region_policy.default_control_region"});
  CHECK(request.project().metadata().labels().count("old") == 0);
  CHECK_FALSE(request.has_cas());
  CHECK_FALSE(request.allow_missing());
}

TEST_CASE("An update by a file is about everything, but for a policy that it does not have",
          "[project_edit]") {
  const TempDirectory directory;
  ProjectsConfig config;
  config.files = {WriteFile(directory, "name: lab\nmultiRegionPolicy: {}\n")};
  CHECK(Paths(UpdateRequestOf(config, DescribedProjects(config)->front())).empty());
  config.files = {WriteFile(directory, "name: lab\nmetadata: {labels: {a: b}}\n")};
  config.edit.labels = {{"c", "d"}};
  const Project project = DescribedProjects(config)->front();
  CHECK(project.name() == "projects/lab");
  CHECK(project.metadata().labels().size() == 2);
  CHECK(Paths(UpdateRequestOf(config, project)) == std::vector<std::string>{"metadata"});
}

TEST_CASE("The flags --update-mask and --resource-version go into the request", "[project_edit]") {
  ProjectsConfig config;
  config.names = {"projects/lab"};
  config.update_mask = {"metadata.labels, metadata.tags", "multi_region_policy"};
  config.edit.labels = {{"a", "b"}};
  config.resource_version = "7";
  config.allow_missing = true;
  const UpdateProjectRequest request = UpdateRequestOf(config, DescribedProjects(config)->front());
  CHECK(Paths(request) == std::vector<std::string>{"metadata.labels", "metadata.tags",
                                                   "multi_region_policy", "metadata.labels.a"});
  CHECK(request.cas().conditional_state().metadata().resource_version() == "7");
  CHECK(request.cas().field_mask().paths(0) == "metadata.resource_version");
  CHECK(request.allow_missing());
}

TEST_CASE("A name on the command line is that of the file's only project", "[project_edit]") {
  const TempDirectory directory;
  ProjectsConfig config;
  config.names = {"projects/lab"};
  config.files = {WriteFile(directory, "metadata: {}\n")};
  CHECK(DescribedProjects(config)->front().name() == "projects/lab");
  config.files = {WriteFile(directory, "name: other\n")};
  CHECK(DescribedProjects(config).status().message() ==
        "the file has projects/other, not projects/lab");
  config.files = {WriteFile(directory, "name: a\n---\nname: b\n")};
  CHECK(DescribedProjects(config).status().message() ==
        "projects/lab cannot be the name of all 2 projects in the files: leave it out");
  config.names.clear();
  CHECK(DescribedProjects(config)->size() == 2);
}

}  // namespace
}  // namespace culvert::forwarder
