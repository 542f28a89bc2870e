// Who may do what with which projects.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "broker/principal.h"
#include "broker/project_question.h"
#include "store/permission.h"
#include "store/store.h"

namespace culvert::broker {

// Confined to the control loop. What it makes refers to it.
class ProjectPermissions {
 public:
  // OK, or PERMISSION_DENIED with why not: as things are when it is called.
  using May = std::function<absl::Status()>;

  // `may_go_on`: whether somebody is still who it was: its key, its token, its project.
  ProjectPermissions(store::Store& store, std::function<absl::Status(const Principal&)> may_go_on)
      : store_(store), may_go_on_(std::move(may_go_on)) {}

  // What a call about this project needs: for the own one a rule of that project is enough.
  static ProjectScope ScopeFor(const Principal& who, const std::string& id) {
    return id == who.id.project ? ProjectScope{id} : ProjectScope();
  }
  // All projects, or the own one where `who` may do that to no other.
  absl::StatusOr<ProjectScope> ScopeOf(const Principal& who, store::Permission permission) const;

  May MayInScope(const Principal& who, store::Permission permission,
                 const ProjectScope& scope) const;
  // And is still who it was.
  May StillMay(const Principal& who, May may) const;

 private:
  store::Store& store_;
  const std::function<absl::Status(const Principal&)> may_go_on_;
};

}  // namespace culvert::broker
