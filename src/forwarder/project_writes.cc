#include <fmt/format.h>
#include <google/protobuf/empty.pb.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "forwarder/make_client.h"
#include "forwarder/project_commands.h"
#include "forwarder/project_edit.h"
#include "forwarder/project_printer.h"
#include "ntt/proxies/v1/project_service.pb.h"

namespace culvert::forwarder {
namespace {

using config::ProjectsConfig;
using ntt::proxies::v1::DeleteProjectRequest;
using ntt::proxies::v1::Project;
using ntt::proxies::v1::UpdateProjectRequest;
using Shape = ProjectPrinter::Shape;

// Says what became of each of several projects, and goes on with the next one.
class Outcomes {
 public:
  Outcomes(const ProjectsConfig& config, size_t projects, int* failures) : failures_(failures) {
    if (!config.output) return;
    printer_.emplace(*config.output, projects == 1 ? Shape::kOne : Shape::kMany, config.headers,
                     std::time(nullptr));
  }

  bool has_form() const { return printer_.has_value(); }
  absl::Status Add(const Project& project, std::string_view what) {
    if (printer_) return PrintNow(printer_->Piece({&project}));
    return PrintNow(fmt::format("{} {}\n", Printable(project.name()), what));
  }
  // An error if it would be the same for every project.
  absl::Status Fail(const absl::Status& why) {
    switch (why.code()) {
      case absl::StatusCode::kUnavailable:
      case absl::StatusCode::kDeadlineExceeded:
      case absl::StatusCode::kUnauthenticated:
        return why;
      default:
        config::PrintError(kProgram, why);
        ++*failures_;
        return absl::OkStatus();
    }
  }
  absl::Status End() {
    // One that failed leaves no object, and not an empty array.
    return printer_ ? PrintNow(printer_->End()) : absl::OkStatus();
  }

 private:
  int* const failures_;
  std::optional<ProjectPrinter> printer_;
};

// What an answer that has the changed fields only tells of the update.
std::string_view EffectOf(const Project& changed) {
  if (changed.metadata().has_create_time()) return "created";
  return changed.metadata().resource_version().empty() ? "unchanged" : "updated";
}

bool IsAgreed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + Printable(name);
  std::fprintf(stderr,
               "Delete %s? Tunnels end, and the keys of agents and users are withdrawn. [y/N] ",
               list.c_str());
  std::fflush(stderr);
  std::array<char, 16> line{};
  if (std::fgets(line.data(), line.size(), stdin) == nullptr) return false;
  const std::string answer = absl::AsciiStrToLower(absl::StripAsciiWhitespace(line.data()));
  return answer == "y" || answer == "yes";
}

}  // namespace

absl::Status CreateProjects(ProjectClient& client, const ProjectsConfig& config, int* failures) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Project> projects, DescribedProjects(config));
  Outcomes outcomes(config, projects.size(), failures);
  for (const Project& project : projects) {
    const auto made = client.Ask<Project>(rpc::Method::kCreateProject, CreateRequestOf(project));
    CULVERT_RETURN_IF_ERROR(made.ok() ? outcomes.Add(*made, "created")
                                      : outcomes.Fail(made.status()));
  }
  return outcomes.End();
}

absl::Status UpdateProjects(ProjectClient& client, const ProjectsConfig& config, int* failures) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Project> projects, NamedProjects(config));
  Outcomes outcomes(config, projects.size(), failures);
  for (const Project& project : projects) {
    UpdateProjectRequest request = UpdateRequestOf(config, project);
    if (!outcomes.has_form()) request.mutable_response_mask()->set_updated_fields_only(true);
    const auto changed = client.Ask<Project>(rpc::Method::kUpdateProject, request);
    CULVERT_RETURN_IF_ERROR(changed.ok() ? outcomes.Add(*changed, EffectOf(*changed))
                                         : outcomes.Fail(changed.status()));
  }
  return outcomes.End();
}

absl::Status DeleteProjects(ProjectClient& client, const ProjectsConfig& config, bool quiet,
                            int* failures) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(config));
  const bool has_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  if (has_terminal && !config.yes && !quiet && !IsAgreed(names)) {
    return absl::FailedPreconditionError("nothing was deleted");
  }
  Outcomes outcomes(config, names.size(), failures);
  for (const std::string& name : names) {
    DeleteProjectRequest request;
    request.set_name(name);
    const auto gone = client.Ask<google::protobuf::Empty>(rpc::Method::kDeleteProject, request);
    // Asked for without allow_missing, to know whether there was one.
    if (absl::IsNotFound(gone.status()) && config.allow_missing) continue;
    Project project;
    project.set_name(name);
    CULVERT_RETURN_IF_ERROR(gone.ok() ? outcomes.Add(project, "deleted")
                                      : outcomes.Fail(gone.status()));
  }
  return outcomes.End();
}

}  // namespace culvert::forwarder
