#include "broker/jwt_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"
#include "broker/pki.h"
#include "crypto/digest.h"

namespace culvert::broker {
namespace {

using crypto::Jwt;
using crypto::JwtClaims;
using crypto::SpiffeId;

std::string SpiffeIdOf(const store::ServiceAccountKey& key) {
  return SpiffeId{kTrustDomain, key.project, SpiffeId::Role::kServiceAccount, key.name}.ToString();
}

BearerToken TokenOf(const Jwt& jwt, const crypto::JwkSet& keys, const JwtClaims& claims) {
  const crypto::Jwk* const key = keys.Find(jwt.key_id(), jwt.algorithm());
  return {claims.issuer, key == nullptr ? "" : key->id, claims.expires};
}

absl::StatusOr<std::string> UserOf(const JwtClaims& claims, const std::string& claim) {
  const auto found = claims.texts.find(claim);
  if (found == claims.texts.end()) {
    return absl::UnauthenticatedError(
        fmt::format("JWT: no claim \"{}\", which names the user", Printable(claim)));
  }
  if (IsResourceId(found->second)) return found->second;
  return absl::UnauthenticatedError(
      fmt::format("JWT: \"{}\" is \"{}\", and no name of a user: expected letters, digits, '_', "
                  "'.' and '-'; see issuer add --claim",
                  Printable(claim), Printable(found->second.substr(0, 128))));
}

}  // namespace

JwtGate::JwtGate(net::EventLoop& loop, store::Store& store, std::string audience, FetchKeys fetch)
    : loop_(loop), store_(store), audience_(std::move(audience)), fetch_(std::move(fetch)) {
  Reload();
}

JwtGate::~JwtGate() = default;

void JwtGate::Reload() {
  verified_.clear();
  accounts_.clear();
  issuers_.clear();
  if (auto keys = store_.service_accounts().List(std::nullopt); keys.ok()) {
    for (const store::ServiceAccountKey& key : *keys) {
      const std::string id = SpiffeIdOf(key);
      Account& account = accounts_.try_emplace(id, Account{*SpiffeId::Parse(id), {}}).first->second;
      account.keys.push_back(key.jwk);
    }
  } else {
    CULVERT_LOG(kError, "service accounts not read, none is let in: {}", MessageOf(keys.status()));
  }
  auto issuers = store_.issuers().List();
  if (!issuers.ok()) {
    CULVERT_LOG(kError, "issuers not read, none counts: {}", MessageOf(issuers.status()));
    return;
  }
  for (store::Issuer& issuer : *issuers) AddIssuer(std::move(issuer));
}

void JwtGate::AddIssuer(store::Issuer issuer) {
  const std::string name = issuer.issuer;
  issuers_[name] = std::make_unique<IssuerKeys>(
      loop_, std::move(issuer), fetch_, reads_, [this, name](const std::string& text) {
        verified_.clear();  // what another key has signed counts no longer
        const absl::Status kept = store_.issuers().SetKeys(name, text);
        if (!kept.ok()) CULVERT_LOG(kError, "keys of an issuer not kept: {}", MessageOf(kept));
        if (on_keys_changed_) on_keys_changed_();
      });
}

absl::StatusOr<Principal> JwtGate::Identify(std::string_view text, WallTime now) {
  if (text.size() > Jwt::kMostBytes) {  // before anything is computed over it
    return absl::UnauthenticatedError(fmt::format("JWT: more than {} bytes", Jwt::kMostBytes));
  }
  const std::string digest = crypto::Sha256(text);
  if (const auto found = verified_.find(digest); found != verified_.end()) {
    if (now < found->second.token->expires + crypto::kJwtLeeway) return found->second;
    verified_.erase(found);
  }
  absl::StatusOr<Principal> who = Verify(text, now);
  if (!who.ok()) return who;
  if (verified_.size() >= kMostVerified) verified_.clear();
  verified_.emplace(digest, *who);
  return who;
}

absl::StatusOr<Principal> JwtGate::Verify(std::string_view text, WallTime now) {
  const absl::StatusOr<Jwt> jwt = Jwt::Parse(text);
  if (!jwt.ok()) return absl::UnauthenticatedError(std::string(MessageOf(jwt.status())));
  // Which keys to look at: nothing is believed before the signature is good.
  const bool by_account = SpiffeId::Parse(jwt->claimed_issuer()).ok();
  return by_account ? ByAccount(*jwt, now) : ByIssuer(*jwt, now);
}

absl::Status JwtGate::Hide(const absl::Status& why) {
  refusals_log_.Log(LogLevel::kInfo, loop_.Now(), fmt::format("refused: {}", MessageOf(why)));
  return absl::UnauthenticatedError(
      "JWT: not valid here: its issuer or key is unknown, or its signature is wrong");
}

absl::StatusOr<Principal> JwtGate::ByAccount(const Jwt& jwt, WallTime now) {
  const std::string& issuer = jwt.claimed_issuer();
  const auto found = accounts_.find(issuer);
  if (found == accounts_.end()) {
    return Hide(absl::NotFoundError(
        fmt::format("JWT: no service account {}", Printable(issuer.substr(0, 256)))));
  }
  const crypto::JwkSet keys(found->second.keys);
  const absl::StatusOr<JwtClaims> claims = jwt.Verify(keys);
  if (!claims.ok()) return Hide(Annotate(claims.status(), issuer));
  CULVERT_RETURN_IF_ERROR(CheckClaims(*claims, {issuer, {audience_}, kLongestLife}, now));
  const auto subject = claims->texts.find("sub");
  if (subject == claims->texts.end() || subject->second != issuer) {
    return absl::UnauthenticatedError("JWT: a service account speaks for itself: sub must be iss");
  }
  return Principal{found->second.id, "", TokenOf(jwt, keys, *claims)};
}

absl::StatusOr<Principal> JwtGate::ByIssuer(const Jwt& jwt, WallTime now) {
  const auto found = issuers_.find(jwt.claimed_issuer());
  if (found == issuers_.end()) {
    return Hide(absl::NotFoundError(
        fmt::format("JWT: no issuer {}", Printable(jwt.claimed_issuer().substr(0, 256)))));
  }
  IssuerKeys& issuer = *found->second;
  issuer.RefreshIfOld();
  if (!issuer.keys().Has(jwt.key_id()) && issuer.Refresh()) {
    return absl::UnavailableError("JWT: the keys of its issuer are being read; try again");
  }
  const absl::StatusOr<JwtClaims> claims = jwt.Verify(issuer.keys());
  if (!claims.ok()) return Hide(Annotate(claims.status(), found->first));
  CULVERT_RETURN_IF_ERROR(CheckClaims(*claims, {found->first, issuer.issuer().audiences, {}}, now));
  CULVERT_ASSIGN_OR_RETURN(std::string user, UserOf(*claims, issuer.issuer().claim));
  return Principal{{kTrustDomain, issuer.issuer().project, SpiffeId::Role::kUser, std::move(user)},
                   "",
                   TokenOf(jwt, issuer.keys(), *claims)};
}

absl::Status JwtGate::MayGoOn(const Principal& who) const {
  if (who.id.role == SpiffeId::Role::kServiceAccount) {
    const auto found = accounts_.find(who.id.ToString());
    if (found == accounts_.end()) {
      return absl::UnauthenticatedError(fmt::format("{} was removed", who.ToString()));
    }
    const std::vector<crypto::Jwk>& keys = found->second.keys;
    const bool has_key = !who.token || std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
      return key.id == who.token->key_id;
    });
    if (!has_key) {
      return absl::UnauthenticatedError(
          fmt::format("the key of the JWT of {} was removed", who.ToString()));
    }
    return absl::OkStatus();
  }
  return who.token ? CheckIssuerOf(who) : absl::OkStatus();
}

absl::Status JwtGate::CheckIssuerOf(const Principal& who) const {
  const auto found = issuers_.find(who.token->issuer);
  if (found == issuers_.end() || found->second->issuer().project != who.id.project) {
    return absl::UnauthenticatedError(
        fmt::format("the issuer of the JWT of {} was removed", who.ToString()));
  }
  const std::vector<crypto::Jwk>& keys = found->second->keys().keys();
  if (std::any_of(keys.begin(), keys.end(),
                  [&](const auto& key) { return key.id == who.token->key_id; })) {
    return absl::OkStatus();
  }
  return absl::UnauthenticatedError(
      fmt::format("the key of the JWT of {} was removed", who.ToString()));
}

}  // namespace culvert::broker
