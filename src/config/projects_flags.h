// The flags of `culvert projects`, each for the commands that have it. Used inside src/config only.
#pragma once

#include "config/projects_config.h"
#include "config/setting.h"

namespace culvert::config {

// -o: what all of them have.
Setting OutputFlag(ProjectsConfig& projects);
Setting NoHeadersFlag(ProjectsConfig& projects);
Setting FileFlag(ProjectsConfig& projects);
Setting FilterFlag(ProjectsConfig& projects);
Setting AllowMissingFlag(ProjectsConfig& projects, std::string help);

Setting OrderFlag(ProjectsConfig& projects);
// --page-size, --limit.
Settings PageFlags(ProjectsConfig& projects);
// What a project is to have: --label, --annotation, --region, --control-region.
Settings ContentFlags(ProjectsConfig& projects);
// What an update takes away, and where it stops.
Settings UpdateFlags(ProjectsConfig& projects);
// --page-size, --resume-token, --starting-time.
Settings WatchFlags(ProjectsConfig& projects);
Setting YesFlag(ProjectsConfig& projects);

}  // namespace culvert::config
