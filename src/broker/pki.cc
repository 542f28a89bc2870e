#include "broker/pki.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "crypto/identity.h"
#include "crypto/private_file.h"
#include "rpc/credentials.h"

namespace culvert::broker {
namespace {

using crypto::Certificate;
using crypto::CertificateAuthority;
using crypto::PrivateKey;
using crypto::Usage;
using crypto::WallTime;

constexpr size_t kMostFileBytes = size_t{64} * 1024;
constexpr auto kAuthorityLife = std::chrono::hours(24 * 3650);
// Whose clock is behind takes a new certificate too.
constexpr auto kLeeway = std::chrono::minutes(5);

absl::StatusOr<CertificateAuthority> Create(const std::string& certificate_file,
                                            const std::string& key_file, WallTime now) {
  CertificateAuthority created =
      CertificateAuthority::Create("culvert authority", now - kLeeway, now + kAuthorityLife);
  // The key first: with the certificate alone the next start would not know what to do.
  CULVERT_RETURN_IF_ERROR(crypto::WritePrivateFile(key_file, created.key().Pem()));
  CULVERT_RETURN_IF_ERROR(crypto::WritePrivateFile(certificate_file, created.certificate().Pem()));
  return created;
}

absl::StatusOr<CertificateAuthority> Load(const std::string& certificate_pem,
                                          const std::string& key_file) {
  CULVERT_ASSIGN_OR_RETURN(Certificate certificate, Certificate::FromPem(certificate_pem));
  CULVERT_ASSIGN_OR_RETURN(const std::string key_pem,
                           crypto::ReadPrivateFile(key_file, kMostFileBytes));
  CULVERT_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(key_pem));
  return CertificateAuthority::FromParts(std::move(certificate), std::move(key));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pki>> Pki::Open(Options options, WallTime now) {
  CULVERT_RETURN_IF_ERROR(crypto::MakePrivateDirectory(options.state_dir));
  const std::string certificate_file = options.state_dir + "/ca.pem";
  const std::string key_file = options.state_dir + "/ca-key.pem";
  const absl::StatusOr<std::string> pem = crypto::ReadPrivateFile(certificate_file, kMostFileBytes);
  if (!pem.ok() && !absl::IsNotFound(pem.status())) return pem.status();
  absl::StatusOr<CertificateAuthority> authority =
      pem.ok() ? Load(*pem, key_file) : Create(certificate_file, key_file, now);
  if (!authority.ok()) {
    return absl::FailedPreconditionError(fmt::format(
        "authority in {}: {}", Printable(options.state_dir), MessageOf(authority.status())));
  }
  return std::unique_ptr<Pki>(new Pki(std::move(options), *std::move(authority)));
}

Certificate Pki::Issue(const crypto::SpiffeId& id, const crypto::PublicKey& key, WallTime now,
                       std::optional<std::chrono::seconds> lifetime) const {
  crypto::CertificateContent content;
  content.spiffe_id = id;
  content.usages = {Usage::kClient};
  if (id.role == crypto::SpiffeId::Role::kAgent) content.usages.push_back(Usage::kServer);
  content.not_before = now;  // who reads it allows for clocks that differ
  content.not_after = now + std::min(lifetime.value_or(options_.lifetime), options_.lifetime);
  return authority_.Issue(key, content);
}

bool Pki::ServerCertificateIsGood(WallTime now) const {
  const absl::StatusOr<std::string> pem =
      crypto::ReadPrivateFile(server_certificate_file(), kMostFileBytes);
  const absl::StatusOr<std::string> key_pem =
      crypto::ReadPrivateFile(server_key_file(), kMostFileBytes);
  if (!pem.ok() || !key_pem.ok()) return false;
  const std::vector<std::string> chain = crypto::SplitPem(*pem);
  if (chain.empty()) return false;
  const absl::StatusOr<Certificate> leaf = Certificate::FromPem(chain.front());
  const absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*key_pem);
  return leaf.ok() && key.ok() && leaf->public_key() == key->public_key() &&
         leaf->CheckIssuedBy(authority(), Usage::kServer, now).ok() && now < crypto::RenewAt(*leaf);
}

absl::Status Pki::KeepServerCertificate(WallTime now) {
  if (ServerCertificateIsGood(now)) return absl::OkStatus();
  // The same key for as long as it can be read: the two files cannot change in one step, and a
  // certificate for the old key goes on being one for the new one.
  absl::StatusOr<PrivateKey> key = absl::NotFoundError("none yet");
  if (const auto pem = crypto::ReadPrivateFile(server_key_file(), kMostFileBytes); pem.ok()) {
    key = PrivateKey::FromPem(*pem);
  }
  if (!key.ok()) {
    key = PrivateKey::Generate();
    CULVERT_RETURN_IF_ERROR(crypto::WritePrivateFile(server_key_file(), key->Pem()));
  }
  crypto::CertificateContent content;
  content.dns_names = {rpc::kBrokerName};
  content.usages = {Usage::kServer};
  content.not_before = now - kLeeway;
  content.not_after = now + options_.lifetime;
  const Certificate leaf = authority_.Issue(key->public_key(), content);
  return crypto::WritePrivateFile(server_certificate_file(), leaf.Pem() + authority().Pem());
}

}  // namespace culvert::broker
