// The projects that a store has. Used inside src/store only.
#pragma once

#include <string>

#include "base/log.h"
#include "store/database.h"
#include "store/project_table.h"

namespace culvert::store {

// For the body of a Write or Read. NOT_FOUND if `project` is not there.
inline absl::Status CheckProject(Database& database, const std::string& project) {
  if (database.Finds("SELECT 1 FROM projects WHERE name = ?", project)) return absl::OkStatus();
  return absl::NotFoundError(
      fmt::format("no project \"{}\": its first enrolment token makes it", Printable(project)));
}

// For the body of a Write.
inline void MakeProject(Database& database, const std::string& project, WallTime now) {
  ProjectTable projects(database);
  if (projects.Has(project)) return;
  Project made;
  made.set_name(ProjectName(project));
  made.mutable_multi_region_policy();
  projects.Insert(made, now);
}

}  // namespace culvert::store
