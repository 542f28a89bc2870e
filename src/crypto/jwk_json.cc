// JSON Web Keys as text.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/jwk.h"
#include "crypto/strict_json.h"

namespace culvert::crypto {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostIdBytes = 256;

// What a key says that is none of ours: of another kind, or for something else.
absl::Status NotOurs(const char* why) { return absl::UnimplementedError(why); }

// A set with a key that is too weak for us, or odd, is as good without it.
absl::StatusOr<JwsKey> OursOrNot(absl::StatusOr<JwsKey> key) {
  if (key.ok()) return key;
  return absl::UnimplementedError(std::string(MessageOf(key.status())));
}

absl::StatusOr<std::string> NumberMember(const Json& object, const char* name) {
  CULVERT_ASSIGN_OR_RETURN(const auto text, TextMember(object, name));
  if (text) {
    if (std::optional<std::string> bytes = FromBase64Url(*text)) return *std::move(bytes);
  }
  return absl::InvalidArgumentError(fmt::format("JWK: {} is no number in base64url", name));
}

absl::StatusOr<JwsKey> KeyFrom(const Json& object) {
  CULVERT_ASSIGN_OR_RETURN(const auto type, TextMember(object, "kty"));
  if (type == "RSA") {
    CULVERT_ASSIGN_OR_RETURN(const std::string modulus, NumberMember(object, "n"));
    CULVERT_ASSIGN_OR_RETURN(const std::string exponent, NumberMember(object, "e"));
    return OursOrNot(JwsKey::FromRsa(modulus, exponent));
  }
  CULVERT_ASSIGN_OR_RETURN(const auto curve, TextMember(object, "crv"));
  if (type != "EC" || curve != "P-256") return NotOurs("JWK: expected a key of P-256 or RSA");
  CULVERT_ASSIGN_OR_RETURN(const std::string x, NumberMember(object, "x"));
  CULVERT_ASSIGN_OR_RETURN(const std::string y, NumberMember(object, "y"));
  return OursOrNot(JwsKey::FromPoint(x, y));
}

// RFC 7517 §4.2 to §4.4.
absl::Status CheckUse(const Json& object, const JwsKey& key) {
  CULVERT_ASSIGN_OR_RETURN(const auto use, TextMember(object, "use"));
  if (use && *use != "sig") return NotOurs("JWK: not for signatures");
  CULVERT_ASSIGN_OR_RETURN(const auto algorithm, TextMember(object, "alg"));
  if (algorithm && *algorithm != JwsAlgorithmName(key.algorithm())) {
    return NotOurs("JWK: for another algorithm than ES256 or RS256");
  }
  const auto operations = object.find("key_ops");
  if (operations == object.end()) return absl::OkStatus();
  if (!operations->is_array()) return absl::InvalidArgumentError("JWK: key_ops is no list");
  if (std::find(operations->begin(), operations->end(), Json("verify")) != operations->end())
    return absl::OkStatus();
  return NotOurs("JWK: not for verifying");
}

absl::StatusOr<Jwk> JwkFrom(const Json& object) {
  if (!object.is_object()) return absl::InvalidArgumentError("JWK: no object");
  // The private part of every kind of key, and the secret of a symmetric one.
  if (object.contains("d")) {
    return absl::InvalidArgumentError("JWK: a private key; take it back and make another one");
  }
  CULVERT_ASSIGN_OR_RETURN(JwsKey key, KeyFrom(object));
  CULVERT_RETURN_IF_ERROR(CheckUse(object, key));
  CULVERT_ASSIGN_OR_RETURN(const auto id, TextMember(object, "kid"));
  if (id && id->size() > kMostIdBytes) return absl::InvalidArgumentError("JWK: kid is too long");
  return Jwk{std::move(key), id.value_or("")};
}

bool HasTwins(const std::vector<Jwk>& keys, const Jwk& one) {
  return !one.id.empty() && std::any_of(keys.begin(), keys.end(), [&one](const Jwk& other) {
    return other.id == one.id && other.key.algorithm() == one.key.algorithm();
  });
}

}  // namespace

absl::StatusOr<Jwk> Jwk::FromJson(std::string_view json) {
  if (json.size() > JwkSet::kMostBytes) return absl::InvalidArgumentError("JWK: too large");
  CULVERT_ASSIGN_OR_RETURN(const Json object, ParseStrictObject(json));
  absl::StatusOr<Jwk> jwk = JwkFrom(object);
  if (!absl::IsUnimplemented(jwk.status())) return jwk;
  return absl::InvalidArgumentError(std::string(MessageOf(jwk.status())));
}

std::string Jwk::ToJson() const {
  Json object = Json::parse(key.jwk());
  if (!id.empty()) object["kid"] = id;
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<JwkSet> JwkSet::FromJson(std::string_view json) {
  if (json.size() > kMostBytes) {
    return absl::InvalidArgumentError(fmt::format("JWK set: more than {} bytes", kMostBytes));
  }
  absl::StatusOr<Json> object = ParseStrictObject(json);
  if (!object.ok()) return Annotate(object.status(), "JWK set");
  const auto list = object->find("keys");
  if (list == object->end() || !list->is_array()) {
    return absl::InvalidArgumentError("JWK set: expected an object with a list \"keys\"");
  }
  if (list->size() > kMostKeys) {
    return absl::InvalidArgumentError(fmt::format("JWK set: more than {} keys", kMostKeys));
  }
  std::vector<Jwk> keys;
  for (const Json& item : *list) {
    absl::StatusOr<Jwk> key = JwkFrom(item);
    if (absl::IsUnimplemented(key.status())) continue;
    if (!key.ok()) return key.status();
    if (HasTwins(keys, *key)) return absl::InvalidArgumentError("JWK set: two keys of one kid");
    keys.push_back(*std::move(key));
  }
  if (!keys.empty()) return JwkSet(std::move(keys));
  return absl::InvalidArgumentError("JWK set: no key for ES256 or RS256");
}

}  // namespace culvert::crypto
