// What the writing calls of ntt.proxies.ProjectService do to the table of projects.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "store/project_table.h"

namespace culvert::broker {

// Largest project, serialized, without what the broker sets in it; and entries of each of its lists
// and maps.
inline constexpr size_t kMaxProjectBytes = size_t{64} * 1024;
inline constexpr int kMaxProjectEntries = 512;

// INVALID_ARGUMENT for one that is too large.
absl::Status CheckProjectSize(const store::Project& project);

struct ProjectWrite {
  enum class Effect { kNone, kMade, kChanged };
  Effect effect = Effect::kNone;
  std::string name;
  store::Project answer;  // what the response mask leaves of the project
};

// For the body of a transaction: nothing is written unless they return OK.

// With a name of its own if it has none. ALREADY_EXISTS; INVALID_ARGUMENT for a name that is not
// made, without a multi_region_policy, or for what is too large.
absl::StatusOr<ProjectWrite> CreateProject(store::ProjectTable& projects,
                                           const ntt::proxies::v1::CreateProjectRequest& request,
                                           WallTime now);

// Changes what the mask says, all without one; what the broker sets in metadata stays as it is. An
// update that changes nothing is no change. NOT_FOUND, or as CreateProject where it may be missing;
// ABORTED if the project is not in the state that `cas` asks for.
absl::StatusOr<ProjectWrite> UpdateProject(store::ProjectTable& projects,
                                           const ntt::proxies::v1::UpdateProjectRequest& request,
                                           WallTime now);

}  // namespace culvert::broker
