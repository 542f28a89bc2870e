// What a broker must not forget: projects, enrolment tokens, principals, revoked keys, policy,
// quotas, whose JSON Web Tokens count, and what resume tickets are sealed with.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "store/issuer_table.h"
#include "store/key_rotation_table.h"
#include "store/killed_channel_table.h"
#include "store/policy_table.h"
#include "store/principal_table.h"
#include "store/quota_table.h"
#include "store/revocation_table.h"
#include "store/service_account_table.h"
#include "store/signing_table.h"
#include "store/ticket_key_table.h"
#include "store/token_table.h"

namespace culvert::store {

class Database;
class StateLock;

// The project that every store has.
inline constexpr char kDefaultProject[] = "default";

// The file culvert.db (0600) in the broker's state directory. Confined to one thread; one process
// at a time has it open. What a method changed is on the disk when it returns OK (some
// milliseconds). A failure of SQLite is RESOURCE_EXHAUSTED (disk full) or INTERNAL, and changes
// nothing.
class Store {
 public:
  // Makes the directory, the file and the project "default" where they are not there. UNAVAILABLE
  // while another process has the store, FAILED_PRECONDITION if a newer program has made it or
  // others may write it or its directory.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& state_dir, WallTime now);
  // The file in a state directory.
  static std::string FileIn(const std::string& state_dir);
  // Whether Open would find the file, as far as may be seen.
  static bool IsIn(const std::string& state_dir);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // With all its keys, and revokes at once those of its logins that are nobody else's too: an
  // account that is made again under this name revives no certificate. Returns the revoked ones.
  // NOT_FOUND if there is no such account.
  absl::StatusOr<std::vector<std::string>> RemoveServiceAccount(const std::string& project,
                                                                const std::string& name,
                                                                WallTime now);

  // With everything that is of it, and revokes the keys of its principals that are of no other
  // project: one that is made again under this name knows nobody. The caches of other threads'
  // connections are theirs. NOT_FOUND; FAILED_PRECONDITION for "default", and where the project
  // says that it must not be deleted.
  absl::Status RemoveProject(const std::string& project, WallTime now);
  // Whether it exists; an error of the disk is "no". Mostly from memory.
  bool HasProject(const std::string& project);

  TokenTable& tokens() { return tokens_; }
  PrincipalTable& principals() { return principals_; }
  RevocationTable& revocations() { return revocations_; }
  KeyRotationTable& key_rotations() { return key_rotations_; }
  SigningTable& signing_requests() { return signing_requests_; }
  PolicyTable& policy() { return policy_; }
  QuotaTable& quotas() { return quotas_; }
  IssuerTable& issuers() { return issuers_; }
  ServiceAccountTable& service_accounts() { return service_accounts_; }
  TicketKeyTable& ticket_keys() { return ticket_keys_; }
  KilledChannelTable& killed_channels() { return killed_channels_; }

 private:
  Store(StateLock lock, std::unique_ptr<Database> database);
  absl::Status Load(WallTime now);

  static constexpr size_t kMostKnownProjects = 10'000;

  const std::unique_ptr<StateLock> lock_;  // outlives the database
  const std::unique_ptr<Database> database_;
  TokenTable tokens_;
  PrincipalTable principals_;
  RevocationTable revocations_;
  KeyRotationTable key_rotations_;
  SigningTable signing_requests_;
  PolicyTable policy_;
  QuotaTable quotas_;
  IssuerTable issuers_;
  ServiceAccountTable service_accounts_;
  TicketKeyTable ticket_keys_;
  KilledChannelTable killed_channels_;
  std::unordered_set<std::string> known_projects_;  // some of those that exist
};

}  // namespace culvert::store
