#include "store/project_store.h"

#include <utility>

#include "store/database.h"
#include "store/store.h"

namespace culvert::store {

ProjectStore::ProjectStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

ProjectStore::~ProjectStore() = default;

absl::StatusOr<std::unique_ptr<ProjectStore>> ProjectStore::Open(const std::string& state_dir) {
  CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                           Database::Open(Store::FileIn(state_dir)));
  return std::unique_ptr<ProjectStore>(new ProjectStore(std::move(database)));
}

absl::Status ProjectStore::Write(absl::FunctionRef<absl::Status(ProjectTable&)> body) {
  return database_->Write<absl::Status>("write projects", [&] {
    ProjectTable table(*database_);
    return body(table);
  });
}

absl::Status ProjectStore::Read(absl::FunctionRef<absl::Status(ProjectTable&)> body) {
  return database_->ReadAtOnce<absl::Status>("read projects", [&] {
    ProjectTable table(*database_);
    return body(table);
  });
}

}  // namespace culvert::store
