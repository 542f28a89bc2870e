#include "store/token_table.h"

#include "crypto/digest.h"
#include "crypto/enrolment_token.h"
#include "crypto/random.h"
#include "store/database.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

constexpr char kSelectTokens[] =
    "SELECT id, role, name, created, expires, used_at, used_by, project FROM tokens ";

std::string HashOf(std::string_view secret) { return crypto::Base32(crypto::Sha256(secret)); }

absl::StatusOr<Token> TokenAt(const SQLite::Statement& row) {
  Token token;
  token.id = row.getColumn(0).getInt64();
  CULVERT_ASSIGN_OR_RETURN(token.enrolment.role, ParseRole(TextAt(row, 1)));
  token.enrolment.name = TextAt(row, 2);
  token.created = TimeAt(row, 3);
  token.expires = TimeAt(row, 4);
  if (!row.isColumnNull(5)) token.used = TimeAt(row, 5);
  token.used_by = TextAt(row, 6);
  token.enrolment.project = TextAt(row, 7);
  return token;
}

void PurgeTokens(Database& database, WallTime now) {
  const int64_t before = ToUnixMillis(now - TokenTable::kKept);
  database.Execute("DELETE FROM tokens WHERE coalesce(used_at, expires) < ?", before);
}

bool HasRequested(Database& database, const std::string& key_id) {
  return database.Finds("SELECT 1 FROM signing_requests WHERE key_id = ?", key_id);
}

absl::Status CheckUsable(Database& database, const Token& token, const std::string& key_id,
                         Role role, WallTime now) {
  if (token.used && token.used_by != key_id) {
    return absl::UnauthenticatedError(
        fmt::format("enrolment token {} was used at {}", token.id, FormatTime(*token.used)));
  }
  if (token.expires <= now && !(token.used && HasRequested(database, key_id))) {
    return absl::UnauthenticatedError(
        fmt::format("enrolment token {} expired at {}", token.id, FormatTime(token.expires)));
  }
  if (token.enrolment.role == role) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("enrolment token {} is for the {} {}", token.id,
                                                   RoleName(token.enrolment.role),
                                                   token.enrolment.name));
}

}  // namespace

absl::StatusOr<NewToken> TokenTable::Create(const Enrolment& enrolment, WallTime expires,
                                            WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckId("project", enrolment.project));
  CULVERT_RETURN_IF_ERROR(CheckId(RoleName(enrolment.role), enrolment.name));
  if (expires <= now) return absl::InvalidArgumentError("the token would be expired already");
  NewToken token{0, crypto::RandomBytes(crypto::EnrolmentToken::kSecretBytes)};
  using Result = absl::StatusOr<NewToken>;
  return database_.Write<Result>("create token", [&]() -> Result {
    PurgeTokens(database_, now);
    MakeProject(database_, enrolment.project, now);
    database_.Execute(
        "INSERT INTO tokens (secret_hash, project, role, name, created, expires) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        HashOf(token.secret), enrolment.project, std::string(RoleName(enrolment.role)),
        enrolment.name, ToUnixMillis(now), ToUnixMillis(expires));
    token.id = database_.last_row_id();
    return token;
  });
}

absl::StatusOr<Enrolment> TokenTable::Use(std::string_view secret, const std::string& key_id,
                                          Role role, WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckKeyId(key_id));
  using Result = absl::StatusOr<Enrolment>;
  return database_.Write<Result>("use token", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        fmt::format("{} WHERE secret_hash = ?", kSelectTokens).c_str(), HashOf(secret));
    if (!row.executeStep()) return absl::UnauthenticatedError("enrolment token unknown");
    CULVERT_ASSIGN_OR_RETURN(const Token token, TokenAt(row));
    CULVERT_RETURN_IF_ERROR(CheckUsable(database_, token, key_id, role, now));
    if (database_.Finds("SELECT 1 FROM revocations WHERE key_id = ?", key_id)) {
      return absl::PermissionDeniedError(fmt::format("key {} is revoked", key_id));
    }
    if (token.used) return token.enrolment;
    database_.Execute("UPDATE tokens SET used_at = ?, used_by = ? WHERE id = ?", ToUnixMillis(now),
                      key_id, token.id);
    return token.enrolment;
  });
}

absl::StatusOr<std::vector<Token>> TokenTable::List(const std::string& project) {
  using Result = absl::StatusOr<std::vector<Token>>;
  return database_.Read<Result>("list tokens", [&]() -> Result {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, project));
    SQLite::Statement row = database_.Prepare(
        fmt::format("{} WHERE project = ? ORDER BY id", kSelectTokens).c_str(), project);
    std::vector<Token> tokens;
    while (row.executeStep()) {
      CULVERT_ASSIGN_OR_RETURN(Token token, TokenAt(row));
      tokens.push_back(std::move(token));
    }
    return tokens;
  });
}

absl::Status TokenTable::Revoke(int64_t id) {
  return database_.Write<absl::Status>("revoke token", [&]() -> absl::Status {
    if (database_.Execute("DELETE FROM tokens WHERE id = ? AND used_at IS NULL", id) > 0) {
      return absl::OkStatus();
    }
    if (database_.Finds("SELECT 1 FROM tokens WHERE id = ?", id)) {
      return absl::FailedPreconditionError(
          fmt::format("token {} is used already: revoke the key that enrolled with it", id));
    }
    return absl::NotFoundError(fmt::format("no token {}; see token list", id));
  });
}

absl::Status TokenTable::Purge(WallTime now) {
  return database_.Write<absl::Status>("purge tokens", [&]() -> absl::Status {
    PurgeTokens(database_, now);
    return absl::OkStatus();
  });
}

}  // namespace culvert::store
