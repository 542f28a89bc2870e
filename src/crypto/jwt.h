// JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, signed with ES256 or RS256.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "crypto/jwk.h"

namespace culvert::crypto {

// What a token says. Only Jwt::Verify gives one that somebody is known to have said.
struct JwtClaims {
  std::string issuer;
  std::vector<std::string> audiences;
  WallTime expires;
  std::optional<WallTime> not_before;
  std::optional<WallTime> issued;
  std::map<std::string, std::string> texts;  // every claim that is a text, "sub" too
};

// A token that was taken apart, and that nobody is known to have said. Immutable.
class Jwt {
 public:
  static constexpr size_t kMostBytes = size_t{16} * 1024;

  // INVALID_ARGUMENT for what is none: another form, another algorithm (`none` too), a header that
  // has to be understood (`crit`), a name twice, a claim of the wrong kind, no issuer, no end. Of
  // the header only `alg`, `kid` and `crit` are read: keys never come with a token.
  static absl::StatusOr<Jwt> Parse(std::string_view text);

  // Whose keys to look at.
  const std::string& claimed_issuer() const { return claims_.issuer; }
  const std::optional<std::string>& key_id() const { return key_id_; }
  std::string_view algorithm() const { return algorithm_; }

  // UNAUTHENTICATED unless it is signed by the one of `keys` that it names, in the way that this
  // key signs. Says nothing about times and audiences: see CheckClaims.
  absl::StatusOr<JwtClaims> Verify(const JwkSet& keys) const;

 private:
  Jwt() = default;

  std::string algorithm_;
  std::optional<std::string> key_id_;
  std::string signed_;  // header and payload as they were sent
  std::string signature_;
  JwtClaims claims_;
};

struct JwtExpectation {
  std::string issuer;
  std::vector<std::string> audiences;                // one of them
  std::optional<std::chrono::seconds> longest_life;  // `iat` has to be there then
};

// How far clocks may differ.
inline constexpr std::chrono::seconds kJwtLeeway(60);

// UNAUTHENTICATED with the difference.
absl::Status CheckClaims(const JwtClaims& claims, const JwtExpectation& expected, WallTime now);

}  // namespace culvert::crypto
