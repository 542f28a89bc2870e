#include "store/issuer_table.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "crypto/jwk.h"
#include "store/database.h"
#include "store/principal.h"
#include "store/projects.h"

namespace culvert::store {
namespace {

constexpr size_t kMostTextBytes = 512;
constexpr size_t kMostAudiences = 16;
constexpr size_t kMostAuthoritiesBytes = size_t{256} * 1024;

bool HasPrefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

absl::Status CheckText(std::string_view what, std::string_view text) {
  const bool good =
      !text.empty() && text.size() <= kMostTextBytes &&
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} \"{}\": expected 1 to {} printable characters without a space", what,
                  Printable(text), kMostTextBytes));
}

absl::Status CheckSource(const Issuer& issuer) {
  CULVERT_RETURN_IF_ERROR(CheckText("jwks", issuer.source));
  if (HasPrefix(issuer.source, "https://")) return absl::OkStatus();
  if (!HasPrefix(issuer.source, "/")) {
    return absl::InvalidArgumentError("jwks: expected a file or a URL that begins with https://");
  }
  if (issuer.authorities.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("ca-file: it is for a URL only");
}

absl::Status CheckIssuer(const Issuer& issuer) {
  CULVERT_RETURN_IF_ERROR(CheckText("issuer", issuer.issuer));
  // A token that names a service account is signed by its own keys.
  if (HasPrefix(issuer.issuer, "spiffe:")) {
    return absl::InvalidArgumentError("issuer: a SPIFFE id is a service account's");
  }
  CULVERT_RETURN_IF_ERROR(CheckId("project", issuer.project));
  CULVERT_RETURN_IF_ERROR(CheckText("claim", issuer.claim));
  if (issuer.audiences.empty() || issuer.audiences.size() > kMostAudiences) {
    return absl::InvalidArgumentError(
        fmt::format("audience: expected 1 to {} of them", kMostAudiences));
  }
  for (const std::string& audience : issuer.audiences) {
    CULVERT_RETURN_IF_ERROR(CheckText("audience", audience));
  }
  if (issuer.authorities.size() > kMostAuthoritiesBytes) {
    return absl::InvalidArgumentError("ca-file: too large");
  }
  CULVERT_RETURN_IF_ERROR(CheckSource(issuer));
  if (issuer.keys.empty()) return absl::OkStatus();
  return crypto::JwkSet::FromJson(issuer.keys).status();
}

absl::Status Unknown(const std::string& issuer) {
  return absl::NotFoundError(fmt::format("no issuer \"{}\"; see issuer list", Printable(issuer)));
}

}  // namespace

absl::Status IssuerTable::Set(const Issuer& issuer, WallTime now) {
  CULVERT_RETURN_IF_ERROR(CheckIssuer(issuer));
  return database_.Write<absl::Status>("set issuer", [&]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckProject(database_, issuer.project));
    database_.Execute("DELETE FROM issuers WHERE issuer = ?", issuer.issuer);
    SQLite::Statement count = database_.Prepare("SELECT count(*) FROM issuers");
    if (count.executeStep() && count.getColumn(0).getInt64() >= int64_t{kMostIssuers}) {
      return absl::ResourceExhaustedError(fmt::format("more than {} issuers", kMostIssuers));
    }
    database_.Execute("INSERT INTO issuers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", issuer.issuer,
                      issuer.project, absl::StrJoin(issuer.audiences, "\n"), issuer.claim,
                      issuer.source, issuer.authorities, issuer.keys, ToUnixMillis(now));
    return absl::OkStatus();
  });
}

absl::Status IssuerTable::SetKeys(const std::string& issuer, const std::string& keys) {
  return database_.Write<absl::Status>("keep the keys of an issuer", [&]() -> absl::Status {
    if (database_.Execute("UPDATE issuers SET keys = ? WHERE issuer = ?", keys, issuer) > 0) {
      return absl::OkStatus();
    }
    return Unknown(issuer);
  });
}

absl::Status IssuerTable::Remove(const std::string& issuer) {
  return database_.Write<absl::Status>("remove issuer", [&]() -> absl::Status {
    if (database_.Execute("DELETE FROM issuers WHERE issuer = ?", issuer) > 0) {
      return absl::OkStatus();
    }
    return Unknown(issuer);
  });
}

absl::StatusOr<std::vector<Issuer>> IssuerTable::List() {
  using Result = absl::StatusOr<std::vector<Issuer>>;
  return database_.Read<Result>("list issuers", [&]() -> Result {
    SQLite::Statement row = database_.Prepare(
        "SELECT issuer, project, audiences, claim, source, authorities, keys, created FROM issuers "
        "ORDER BY issuer");
    std::vector<Issuer> issuers;
    while (row.executeStep()) {
      issuers.push_back({TextAt(row, 0), TextAt(row, 1), absl::StrSplit(TextAt(row, 2), '\n'),
                         TextAt(row, 3), TextAt(row, 4), TextAt(row, 5), TextAt(row, 6),
                         TimeAt(row, 7)});
    }
    return issuers;
  });
}

}  // namespace culvert::store
