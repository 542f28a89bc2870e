#include "store/store.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "store/database.h"
#include "store/project_table.h"
#include "store/projects.h"
#include "store/state_dir.h"

namespace culvert::store {
namespace {

// What is of a project, in an order that foreign keys allow.
constexpr std::array kOfProject = {
    "DELETE FROM bindings WHERE project = ?",
    "DELETE FROM groups WHERE project = ?",
    "DELETE FROM quotas WHERE project = ?",
    "DELETE FROM tokens WHERE project = ?",
    "DELETE FROM signing_requests WHERE project = ?",
    "DELETE FROM service_account_keys WHERE project = ?",
    "DELETE FROM issuers WHERE project = ?",
    "DELETE FROM principals WHERE project = ?",
};

absl::Status CheckRemovable(const Project& project) {
  if (ProjectId(project) == kDefaultProject) {
    return absl::FailedPreconditionError(
        fmt::format("{} is every broker's, and stays", project.name()));
  }
  if (!project.metadata().lifecycle().block_deletion()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} has metadata.lifecycle.block_deletion: clear that first", project.name()));
}

}  // namespace

std::string Store::FileIn(const std::string& state_dir) { return state_dir + "/culvert.db"; }

Store::Store(StateLock lock, std::unique_ptr<Database> database)
    : lock_(std::make_unique<StateLock>(std::move(lock))),
      database_(std::move(database)),
      tokens_(*database_),
      principals_(*database_),
      revocations_(*database_),
      key_rotations_(*database_),
      signing_requests_(*database_),
      policy_(*database_),
      quotas_(*database_),
      issuers_(*database_),
      service_accounts_(*database_),
      ticket_keys_(*database_),
      killed_channels_(*database_) {}

Store::~Store() = default;

bool Store::IsIn(const std::string& state_dir) {
  struct stat status {};
  if (lstat(FileIn(state_dir).c_str(), &status) == 0) return true;
  return errno != ENOENT && errno != ENOTDIR;
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& state_dir, WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(StateLock lock, StateLock::Acquire(state_dir));
  CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(FileIn(state_dir)));
  std::unique_ptr<Store> store(new Store(std::move(lock), std::move(database)));
  CULVERT_RETURN_IF_ERROR(store->Load(now));
  return store;
}

absl::Status Store::Load(WallTime now) {
  CULVERT_RETURN_IF_ERROR(database_->Write<absl::Status>("make project", [&] {
    ProjectTable(*database_).AdoptOld(now);
    MakeProject(*database_, kDefaultProject, now);
    return absl::OkStatus();
  }));
  CULVERT_RETURN_IF_ERROR(tokens_.Purge(now));
  CULVERT_RETURN_IF_ERROR(signing_requests_.Purge(now));
  CULVERT_RETURN_IF_ERROR(revocations_.Load());
  CULVERT_RETURN_IF_ERROR(ticket_keys_.Load());
  CULVERT_RETURN_IF_ERROR(killed_channels_.Load(now));
  CULVERT_RETURN_IF_ERROR(quotas_.Load());
  return policy_.Load();
}

absl::StatusOr<std::vector<std::string>> Store::RemoveServiceAccount(const std::string& project,
                                                                     const std::string& name,
                                                                     WallTime now) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  return revocations_.RevokeWith(
      [&]() -> Result {
        CULVERT_RETURN_IF_ERROR(service_accounts_.RemoveIn(project, name, std::nullopt));
        return principals_.OwnKeysOf(project, Role::kServiceAccount, name);
      },
      "its service account was removed", now);
}

absl::Status Store::RemoveProject(const std::string& project, WallTime now) {
  using Result = absl::StatusOr<std::vector<std::string>>;
  const auto remove = [&]() -> Result {
    ProjectTable projects(*database_);
    const std::optional<Project> found = projects.Find(project);
    if (!found) return absl::NotFoundError(fmt::format("projects/{} does not exist", project));
    CULVERT_RETURN_IF_ERROR(CheckRemovable(*found));
    std::vector<std::string> keys;
    SQLite::Statement row = database_->Prepare(
        "SELECT DISTINCT key_id FROM principals WHERE project = ? AND key_id NOT IN "
        "(SELECT key_id FROM principals WHERE project <> ?)",
        project, project);
    while (row.executeStep()) keys.push_back(TextAt(row, 0));
    row.reset();
    for (const char* sql : kOfProject) database_->Execute(sql, project);
    projects.Remove(*found, now);
    return keys;
  };
  CULVERT_RETURN_IF_ERROR(revocations_.RevokeWith(remove, "its project was deleted", now).status());
  known_projects_.erase(project);
  // It is gone, whatever becomes of this: rules and quotas of a project that is not there let
  // nobody do anything.
  for (const absl::Status& loaded : {policy_.Load(), quotas_.Load()}) {
    if (!loaded.ok()) CULVERT_LOG(kError, "deletion of a project: {}", MessageOf(loaded));
  }
  return absl::OkStatus();
}

bool Store::HasProject(const std::string& project) {
  if (known_projects_.contains(project)) return true;
  using Result = absl::StatusOr<bool>;
  const Result has = database_->Read<Result>(
      "find project", [&]() -> Result { return ProjectTable(*database_).Has(project); });
  if (!has.ok() || !*has) return false;
  if (known_projects_.size() >= kMostKnownProjects) known_projects_.clear();
  known_projects_.insert(project);
  return true;
}

}  // namespace culvert::store
