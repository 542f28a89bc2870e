// What the commands of `culvert projects` are told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/wall_time.h"

namespace culvert::config {

struct ProjectsConfig {
  enum class Action { kList, kGet, kCreate, kUpdate, kDelete, kWatch };
  enum class Output { kTable, kWide, kJson, kYaml, kName };
  using Entry = std::pair<std::string, std::string>;  // of a map: key and value

  // What the flags say of one project.
  struct Edit {
    std::vector<Entry> labels;
    std::vector<Entry> annotations;
    std::vector<std::string> removed_labels;
    std::vector<std::string> removed_annotations;
    std::optional<std::vector<std::string>> regions;
    std::optional<std::string> control_region;

    bool empty() const {
      return labels.empty() && annotations.empty() && removed_labels.empty() &&
             removed_annotations.empty() && !regions && !control_region;
    }
  };

  Action action = Action::kList;
  std::vector<std::string> names;  // "projects/ID"
  std::vector<std::string> files;  // "-" is standard input
  std::optional<Output> output;    // none: a table, or for what changes something a line
  bool headers = true;
  std::string filter;
  std::string order_by;
  uint32_t page_size = 0;  // 0: the broker's
  uint32_t limit = 0;      // 0: all
  Edit edit;
  std::vector<std::string> update_mask;
  std::string resource_version;  // of the project that is to be changed; empty: any
  bool allow_missing = false;
  bool yes = false;
  std::string resume_token;
  std::optional<WallTime> starting_time;

  // Of a watch.
  bool is_of_a_page() const { return page_size != 0 || !order_by.empty(); }
};

}  // namespace culvert::config
