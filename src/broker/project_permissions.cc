#include "broker/project_permissions.h"

#include <utility>

#include "base/status.h"

namespace culvert::broker {

absl::StatusOr<ProjectScope> ProjectPermissions::ScopeOf(const Principal& who,
                                                         store::Permission permission) const {
  if (MayInScope(who, permission, ProjectScope())().ok()) return ProjectScope();
  ProjectScope own{who.id.project};
  CULVERT_RETURN_IF_ERROR(MayInScope(who, permission, own)());
  return own;
}

ProjectPermissions::May ProjectPermissions::MayInScope(const Principal& who,
                                                       store::Permission permission,
                                                       const ProjectScope& scope) const {
  return [this, who, permission, is_of_all = !scope.only] {
    store::Request request;
    request.permission = permission;
    request.of_all_projects = is_of_all;
    const store::Decision decision =
        store_.policy().current()->Evaluate(store::Principal::From(who.id, who.key), request);
    return decision.allowed ? absl::OkStatus() : absl::PermissionDeniedError(decision.reason);
  };
}

ProjectPermissions::May ProjectPermissions::StillMay(const Principal& who, May may) const {
  return [this, who, may = std::move(may)] {
    CULVERT_RETURN_IF_ERROR(may_go_on_(who));
    return may();
  };
}

}  // namespace culvert::broker
