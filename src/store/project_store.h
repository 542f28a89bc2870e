// The projects of a store over a connection of their own, so that the broker's loop does not wait
// for what clients ask of them.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "store/project_table.h"

namespace culvert::store {

class Database;

// Confined to one thread at a time.
class ProjectStore {
 public:
  // Of a directory whose Store is open. What runs when the Store is closed is still committed.
  static absl::StatusOr<std::unique_ptr<ProjectStore>> Open(const std::string& state_dir);
  ~ProjectStore();
  ProjectStore(const ProjectStore&) = delete;
  ProjectStore& operator=(const ProjectStore&) = delete;

  // Runs `body` in one transaction, which is on the disk when this returns OK, and leaves nothing
  // where `body` or SQLite fails: RESOURCE_EXHAUSTED for a full disk, INTERNAL.
  absl::Status Write(absl::FunctionRef<absl::Status(ProjectTable&)> body);
  // What `body` reads is of one moment.
  absl::Status Read(absl::FunctionRef<absl::Status(ProjectTable&)> body);

 private:
  explicit ProjectStore(std::unique_ptr<Database> database);

  const std::unique_ptr<Database> database_;
};

}  // namespace culvert::store
