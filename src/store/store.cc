#include "store/store.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "store/database.h"
#include "store/projects.h"
#include "store/state_dir.h"

namespace culvert::store {
namespace {

std::string FileIn(const std::string& state_dir) { return state_dir + "/culvert.db"; }

}  // namespace

Store::Store(StateLock lock, std::unique_ptr<Database> database)
    : lock_(std::make_unique<StateLock>(std::move(lock))),
      database_(std::move(database)),
      tokens_(*database_),
      principals_(*database_),
      revocations_(*database_),
      key_rotations_(*database_),
      signing_requests_(*database_),
      policy_(*database_),
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
    MakeProject(*database_, kDefaultProject, now);
    return absl::OkStatus();
  }));
  CULVERT_RETURN_IF_ERROR(tokens_.Purge(now));
  CULVERT_RETURN_IF_ERROR(signing_requests_.Purge(now));
  CULVERT_RETURN_IF_ERROR(revocations_.Load());
  CULVERT_RETURN_IF_ERROR(ticket_keys_.Load());
  CULVERT_RETURN_IF_ERROR(killed_channels_.Load(now));
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

}  // namespace culvert::store
