#include "tests/support/test_realm.h"

#include <cstdlib>
#include <filesystem>

#include "tests/support/catch.h"

namespace culvert::test {

using crypto::SpiffeId;

absl::StatusOr<SpiffeId> TestRecords::Redeem(const std::string& offered, const std::string&,
                                             SpiffeId::Role) {
  if (token.empty() || offered != token) return absl::UnauthenticatedError("token unknown");
  token.clear();
  return SpiffeId{broker::kTrustDomain, "default", SpiffeId::Role::kUser, "alice"};
}

absl::Status TestRecords::CheckNotRevoked(const std::string& key) const {
  if (revoked.count(key) == 0) return absl::OkStatus();
  return absl::UnauthenticatedError("the key is revoked");
}

absl::Status TestRecords::MayConnect(const broker::Principal& who,
                                     const broker::OpenChannel&) const {
  if (!denied && (only.empty() || who.ToString() == only)) return absl::OkStatus();
  return absl::PermissionDeniedError("no rule allows it to " + who.ToString());
}

TestRealm::TestRealm() {
  std::string pattern = (std::filesystem::temp_directory_path() / "culvert-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  broker::Pki::Options options;
  options.state_dir = directory_ + "/broker";
  const crypto::WallTime now = std::chrono::system_clock::now();
  auto pki = broker::Pki::Open(options, now);
  REQUIRE(pki.ok());
  pki_ = *std::move(pki);
  REQUIRE(pki_->KeepServerCertificate(now).ok());
}

TestRealm::~TestRealm() { std::filesystem::remove_all(directory_); }

crypto::Identity TestRealm::Issue(SpiffeId::Role role, const std::string& name,
                                  const std::string& project, std::chrono::seconds begin,
                                  std::chrono::seconds end) const {
  const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  const crypto::WallTime now = std::chrono::system_clock::now();
  const auto certificate = pki_->Issue({broker::kTrustDomain, project, role, name},
                                       key.public_key(), now + begin, end - begin);
  REQUIRE(certificate.ok());
  auto identity = crypto::Identity::FromParts(key, *certificate, pki_->authority());
  REQUIRE(identity.ok());
  return *std::move(identity);
}

std::string TestRealm::Keep(const crypto::Identity& identity) {
  const std::string dir = directory_ + "/" + std::to_string(++kept_);
  REQUIRE(crypto::SaveIdentity(dir, identity).ok());
  return dir;
}

}  // namespace culvert::test
