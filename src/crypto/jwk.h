// JSON Web Keys (RFC 7517): what an issuer says its public keys are.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/jws_key.h"

namespace culvert::crypto {

// A key, and the name that tokens call it by (`kid`), if it has one.
struct Jwk {
  JwsKey key;
  std::string id;

  // A key of a kind that is taken, for signatures. INVALID_ARGUMENT for anything else, a private
  // key above all.
  static absl::StatusOr<Jwk> FromJson(std::string_view json);
  std::string ToJson() const;
};

// Immutable; copies share the keys.
class JwkSet {
 public:
  static constexpr size_t kMostBytes = size_t{256} * 1024;
  static constexpr size_t kMostKeys = 100;

  JwkSet() = default;
  explicit JwkSet(std::vector<Jwk> keys) : keys_(std::move(keys)) {}

  // A JWK Set (RFC 7517 §5). Keys of other kinds and uses are left out; INVALID_ARGUMENT if none
  // is left, if one is private, if two have one name, or beyond the limits.
  static absl::StatusOr<JwkSet> FromJson(std::string_view json);

  const std::vector<Jwk>& keys() const { return keys_; }
  // The key of that name for that algorithm; without a name the only one for it. Null if there is
  // none.
  const Jwk* Find(const std::optional<std::string>& id, std::string_view algorithm) const;
  // Whether there is a key of that name, for whatever; without a name, any.
  bool Has(const std::optional<std::string>& id) const;

 private:
  std::vector<Jwk> keys_;
};

}  // namespace culvert::crypto
