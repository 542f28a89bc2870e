#include "broker/project_writes.h"

#include <fmt/format.h>
#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "crypto/random.h"
#include "resource/field_mask.h"
#include "resource/resource_name.h"

namespace culvert::broker {
namespace {

using google::protobuf::util::MessageDifferencer;
using ntt::proxies::v1::CreateProjectRequest;
using ntt::proxies::v1::UpdateProjectRequest;
using resource::Mask;
using store::Project;
using store::ProjectTable;

constexpr int kDraws = 8;

absl::StatusOr<Mask> ParseMask(const google::protobuf::FieldMask& mask) {
  return Mask::Parse(mask, goten::types::UNSPECIFIED, *Project::descriptor());
}

absl::Status CheckProject(const Project& project) {
  if (!project.has_multi_region_policy()) {
    return absl::InvalidArgumentError("multi_region_policy is required");
  }
  return CheckProjectSize(project);
}

// Of a message and those in it; projects are three deep.
absl::Status CheckEntries(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& fields = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  fields.ListFields(message, &set);
  for (const auto* field : set) {
    if (field->is_repeated()) {
      const int size = fields.FieldSize(message, field);
      if (size > kMaxProjectEntries) {
        return absl::InvalidArgumentError(
            fmt::format("{} has {} entries (limit {})", field->name(), size, kMaxProjectEntries));
      }
    } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      CULVERT_RETURN_IF_ERROR(CheckEntries(fields.GetMessage(message, field)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> DrawId(ProjectTable& projects) {
  for (int i = 0; i < kDraws; ++i) {
    std::string id = resource::DrawResourceId("", crypto::RandomUint64());
    if (!projects.Has(id)) return id;
  }
  return absl::UnavailableError("no free name was found: try again, or give one");
}

// The id of a project to be made.
absl::StatusOr<std::string> NewId(ProjectTable& projects, const std::string& name) {
  if (name.empty()) return DrawId(projects);
  CULVERT_ASSIGN_OR_RETURN(std::string id,
                           resource::ParseNewResourceName(name, resource::kProjectKind));
  if (!projects.Has(id)) return id;
  return absl::AlreadyExistsError(fmt::format("{} exists", name));
}

absl::StatusOr<Project> Make(ProjectTable& projects, Project project, WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckProject(project));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, NewId(projects, project.name()));
  project.set_name(store::ProjectName(id));
  project.mutable_metadata()->clear_delete_time();
  projects.Insert(project, now);
  return project;
}

// Compared where `cas` has fields, by those, else as a whole.
absl::Status CheckState(const UpdateProjectRequest::CAS& cas, const Project& project) {
  CULVERT_ASSIGN_OR_RETURN(const Mask mask, ParseMask(cas.field_mask()));
  if (!mask.Changed(cas.conditional_state(), project)) return absl::OkStatus();
  const std::string paths = google::protobuf::util::FieldMaskUtil::ToString(
      mask.DiffPaths(cas.conditional_state(), project));
  return absl::AbortedError(fmt::format("{} is not in the state that cas asks for: {} differs",
                                        project.name(), Printable(paths)));
}

// Metadata that only the broker sets.
void KeepOwn(const goten::types::Meta& before, goten::types::Meta* after) {
  *after->mutable_create_time() = before.create_time();
  *after->mutable_update_time() = before.update_time();
  after->set_uuid(before.uuid());
  after->set_generation(before.generation());
  after->set_resource_version(before.resource_version());
  after->clear_delete_time();
}

template <class ResponseMask>
absl::StatusOr<Project> Masked(const ResponseMask& wanted, Project project) {
  if (wanted.skip_entire_response_body()) return Project();
  if (!wanted.has_body_mask()) return project;
  CULVERT_ASSIGN_OR_RETURN(const Mask mask, ParseMask(wanted.body_mask()));
  mask.Trim(&project);
  return project;
}

absl::StatusOr<Project> MaskedUpdate(const UpdateProjectRequest& request, const Project& before,
                                     const Project& after) {
  if (!request.response_mask().updated_fields_only()) {
    return Masked(request.response_mask(), after);
  }
  google::protobuf::FieldMask changed = Mask::Everything().DiffPaths(before, after);
  changed.add_paths("name");
  CULVERT_ASSIGN_OR_RETURN(const Mask mask, ParseMask(changed));
  return mask.Project(after);
}

}  // namespace

absl::Status CheckProjectSize(const Project& project) {
  if (project.ByteSizeLong() > kMaxProjectBytes) {
    return absl::InvalidArgumentError(fmt::format("the project has {} bytes (limit {})",
                                                  project.ByteSizeLong(), kMaxProjectBytes));
  }
  return CheckEntries(project);
}

absl::StatusOr<ProjectWrite> CreateProject(ProjectTable& projects,
                                           const CreateProjectRequest& request, WallTime now) {
  // Before anything is written.
  CULVERT_RETURN_IF_ERROR(Masked(request.response_mask(), Project()).status());
  CULVERT_ASSIGN_OR_RETURN(Project made, Make(projects, request.project(), now));
  ProjectWrite write{ProjectWrite::Effect::kMade, made.name(), {}};
  CULVERT_ASSIGN_OR_RETURN(write.answer, Masked(request.response_mask(), std::move(made)));
  return write;
}

absl::StatusOr<ProjectWrite> UpdateProject(ProjectTable& projects,
                                           const UpdateProjectRequest& request, WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(const Mask mask, ParseMask(request.update_mask()));
  CULVERT_RETURN_IF_ERROR(Masked(request.response_mask(), Project()).status());
  CULVERT_ASSIGN_OR_RETURN(
      const std::string id,
      resource::ParseResourceName(request.project().name(), resource::kProjectKind));
  const std::optional<Project> before = projects.Find(id);
  if (!before) {
    if (!request.allow_missing()) {
      return absl::NotFoundError(fmt::format("{} does not exist", request.project().name()));
    }
    if (request.has_cas()) {
      return absl::AbortedError(fmt::format("{} does not exist, and cas asks for a state of it",
                                            request.project().name()));
    }
    CULVERT_ASSIGN_OR_RETURN(const Project made, Make(projects, request.project(), now));
    ProjectWrite write{ProjectWrite::Effect::kMade, made.name(), {}};
    CULVERT_ASSIGN_OR_RETURN(write.answer, MaskedUpdate(request, Project(), made));
    return write;
  }
  if (request.has_cas()) CULVERT_RETURN_IF_ERROR(CheckState(request.cas(), *before));
  Project after = *before;
  mask.Merge(request.project(), &after);
  after.set_name(before->name());
  KeepOwn(before->metadata(), after.mutable_metadata());
  CULVERT_RETURN_IF_ERROR(CheckProject(after));
  ProjectWrite write{ProjectWrite::Effect::kNone, after.name(), {}};
  if (!MessageDifferencer::Equals(*before, after)) {
    write.effect = ProjectWrite::Effect::kChanged;
    const bool is_new_spec =
        !MessageDifferencer::Equals(before->multi_region_policy(), after.multi_region_policy());
    projects.Replace(*before, after, is_new_spec, now);
  }
  CULVERT_ASSIGN_OR_RETURN(write.answer, MaskedUpdate(request, *before, after));
  return write;
}

}  // namespace culvert::broker
