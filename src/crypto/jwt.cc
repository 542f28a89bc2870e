#include "crypto/jwt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/strict_json.h"

namespace culvert::crypto {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostAudiences = 100;
// In the year 2223: what a WallTime can hold.
constexpr double kLatest = 8'000'000'000;

absl::Status Bad(const char* why) { return absl::InvalidArgumentError(why); }

absl::StatusOr<Json> ObjectIn(std::string_view part, const char* what) {
  const std::optional<std::string> text = FromBase64Url(part);
  if (!text) return Annotate(Bad("not base64url"), what);
  absl::StatusOr<Json> object = ParseStrictObject(*text);
  if (!object.ok()) return Annotate(object.status(), what);
  return object;
}

// NumericDate (RFC 7519 §2).
absl::StatusOr<std::optional<WallTime>> TimeMember(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return std::nullopt;
  const double seconds = found->is_number() ? found->get<double>() : -1;
  if (!(seconds >= 0 && seconds <= kLatest)) {
    return absl::InvalidArgumentError(fmt::format("{} is no time", name));
  }
  return WallTime(std::chrono::milliseconds(std::llround(seconds * 1000)));
}

absl::StatusOr<std::vector<std::string>> AudiencesIn(const Json& claims) {
  std::vector<std::string> audiences;
  const auto found = claims.find("aud");
  if (found == claims.end()) return audiences;
  if (found->is_string()) return std::vector<std::string>{found->get<std::string>()};
  const auto* const list = found->get_ptr<const Json::array_t*>();
  const bool usable =
      list != nullptr && list->size() <= kMostAudiences &&
      std::all_of(list->begin(), list->end(), [](const Json& one) { return one.is_string(); });
  if (!usable) return Bad("aud is neither a text nor a list of texts");
  for (const Json& one : *list) audiences.push_back(one.get<std::string>());
  return audiences;
}

absl::StatusOr<JwtClaims> ClaimsIn(const Json& object) {
  JwtClaims claims;
  CULVERT_ASSIGN_OR_RETURN(const auto issuer, TextMember(object, "iss"));
  if (!issuer || issuer->empty()) return Bad("no issuer");
  claims.issuer = *issuer;
  CULVERT_ASSIGN_OR_RETURN(claims.audiences, AudiencesIn(object));
  CULVERT_ASSIGN_OR_RETURN(const auto expires, TimeMember(object, "exp"));
  if (!expires) return Bad("no time at which it expires");
  claims.expires = *expires;
  CULVERT_ASSIGN_OR_RETURN(claims.not_before, TimeMember(object, "nbf"));
  CULVERT_ASSIGN_OR_RETURN(claims.issued, TimeMember(object, "iat"));
  CULVERT_RETURN_IF_ERROR(TextMember(object, "sub").status());
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) claims.texts[name] = value.get<std::string>();
  }
  return claims;
}

bool IsTaken(std::string_view algorithm) {
  return algorithm == JwsAlgorithmName(JwsAlgorithm::kEs256) ||
         algorithm == JwsAlgorithmName(JwsAlgorithm::kRs256);
}

absl::Status JwtRefused(std::string_view why) {
  return absl::UnauthenticatedError(fmt::format("JWT: {}", why));
}

}  // namespace

absl::StatusOr<Jwt> Jwt::Parse(std::string_view text) {
  if (text.size() > kMostBytes) {
    return absl::InvalidArgumentError(fmt::format("JWT: more than {} bytes", kMostBytes));
  }
  const size_t first = text.find('.');
  const size_t last = text.rfind('.');
  if (first == std::string_view::npos || text.find('.', first + 1) != last) {
    return Bad("JWT: expected three parts with a '.' between them");
  }
  CULVERT_ASSIGN_OR_RETURN(const Json header, ObjectIn(text.substr(0, first), "JWT header"));
  Jwt jwt;
  CULVERT_ASSIGN_OR_RETURN(const auto algorithm, TextMember(header, "alg"));
  if (!algorithm || !IsTaken(*algorithm)) return Bad("JWT: expected the algorithm ES256 or RS256");
  jwt.algorithm_ = *algorithm;
  CULVERT_ASSIGN_OR_RETURN(jwt.key_id_, TextMember(header, "kid"));
  if (header.contains("crit")) return Bad("JWT: a header that has to be understood (crit) is not");
  const std::optional<std::string> signature = FromBase64Url(text.substr(last + 1));
  if (!signature || signature->empty()) return Bad("JWT: no signature");
  jwt.signature_ = *signature;
  jwt.signed_ = std::string(text.substr(0, last));
  CULVERT_ASSIGN_OR_RETURN(const Json payload,
                           ObjectIn(text.substr(first + 1, last - first - 1), "JWT claims"));
  absl::StatusOr<JwtClaims> claims = ClaimsIn(payload);
  if (!claims.ok()) return Annotate(claims.status(), "JWT");
  jwt.claims_ = *std::move(claims);
  return jwt;
}

absl::StatusOr<JwtClaims> Jwt::Verify(const JwkSet& keys) const {
  const Jwk* const found = keys.Find(key_id_, algorithm_);
  if (found == nullptr) return JwtRefused("signed with a key that is not known");
  if (!found->key.Verifies(signed_, signature_)) return JwtRefused("its signature is wrong");
  return claims_;
}

absl::Status CheckClaims(const JwtClaims& claims, const JwtExpectation& expected, WallTime now) {
  if (claims.issuer != expected.issuer) return JwtRefused("of another issuer");
  const auto is_ours = [&expected](const std::string& audience) {
    return std::find(expected.audiences.begin(), expected.audiences.end(), audience) !=
           expected.audiences.end();
  };
  if (std::none_of(claims.audiences.begin(), claims.audiences.end(), is_ours)) {
    return JwtRefused("for another audience");
  }
  if (now >= claims.expires + kJwtLeeway) {
    return JwtRefused(fmt::format("expired at {}", FormatTime(claims.expires)));
  }
  if (claims.not_before && now < *claims.not_before - kJwtLeeway) {
    return JwtRefused(fmt::format("not valid before {}", FormatTime(*claims.not_before)));
  }
  if (claims.issued && now < *claims.issued - kJwtLeeway) {
    return JwtRefused("issued in the future; compare the clocks");
  }
  if (!expected.longest_life) return absl::OkStatus();
  if (!claims.issued) return JwtRefused("does not say when it was issued (iat)");
  if (claims.expires - *claims.issued <= *expected.longest_life) return absl::OkStatus();
  return JwtRefused(fmt::format("lives for more than {} s", expected.longest_life->count()));
}

}  // namespace culvert::crypto
