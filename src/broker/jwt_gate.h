// Whom a JSON Web Token names: a service account that signed it itself, or a user whom an issuer
// vouches for.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "broker/issuer_keys.h"
#include "broker/log_throttle.h"
#include "broker/principal.h"
#include "crypto/jwt.h"
#include "store/store.h"

namespace culvert::broker {

// Confined to the control loop; the store outlives it.
class JwtGate {
 public:
  // Of a token that a service account signs itself.
  static constexpr std::chrono::seconds kLongestLife = std::chrono::minutes(65);

  // `audience` is what tokens of service accounts have to be for.
  JwtGate(net::EventLoop& loop, store::Store& store, std::string audience,
          FetchKeys fetch = FetchKeySet);
  ~JwtGate();

  // UNAUTHENTICATED with one line that does not tell what is known here; what is wrong with a token
  // whose signature is good it does tell. UNAVAILABLE while the issuer's keys are being read: try
  // again.
  absl::StatusOr<Principal> Identify(std::string_view text, WallTime now);

  // Whether `who`, whom Identify or a certificate told, is still let in: the service account is
  // there, and the key or issuer of its token.
  absl::Status MayGoOn(const Principal& who) const;

  // What the store says has changed.
  void Reload();
  // Runs when an issuer has other keys, and what MayGoOn says may have changed.
  void set_on_keys_changed(std::function<void()> on_keys_changed) {
    on_keys_changed_ = std::move(on_keys_changed);
  }

 private:
  static constexpr size_t kMostVerified = 8'192;

  struct Account {
    crypto::SpiffeId id;
    std::vector<crypto::Jwk> keys;
  };
  absl::StatusOr<Principal> Verify(std::string_view text, WallTime now);
  absl::StatusOr<Principal> ByAccount(const crypto::Jwt& jwt, WallTime now);
  absl::StatusOr<Principal> ByIssuer(const crypto::Jwt& jwt, WallTime now);
  absl::Status CheckIssuerOf(const Principal& who) const;
  absl::Status Hide(const absl::Status& why);
  void AddIssuer(store::Issuer issuer);

  net::EventLoop& loop_;
  store::Store& store_;
  const std::string audience_;
  const FetchKeys fetch_;
  std::function<void()> on_keys_changed_;
  int reads_ = 0;
  std::map<std::string, Account> accounts_;                     // by SPIFFE id
  std::map<std::string, std::unique_ptr<IssuerKeys>> issuers_;  // by name
  std::unordered_map<std::string, Principal> verified_;         // by SHA-256 of the token
  LogThrottle refusals_log_;
};

}  // namespace culvert::broker
