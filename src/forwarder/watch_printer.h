// Events of a watch in the form of -o. Used inside src/forwarder only.
#pragma once

#include <string>
#include <vector>

#include "config/projects_config.h"
#include "forwarder/project_table.h"
#include "forwarder/watched_projects.h"

namespace culvert::forwarder {

// Each event is whole when it is printed: a line of a table, of JSON or of names, a YAML document.
// Only JSON and YAML have tokens.
class WatchPrinter {
 public:
  WatchPrinter(config::ProjectsConfig::Output output, bool headers);

  std::string Text(const std::vector<ProjectEvent>& events, int64_t now);

 private:
  const config::ProjectsConfig::Output output_;
  ProjectTable table_;
};

}  // namespace culvert::forwarder
