#include "broker/server_files.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "broker/pki.h"
#include "crypto/identity.h"
#include "crypto/private_file.h"

namespace culvert::broker {
namespace {

using crypto::Certificate;
using crypto::PrivateKey;

constexpr size_t kMostFileBytes = size_t{64} * 1024;

std::string KeyFile(const std::string& state_dir) { return state_dir + "/server-key.pem"; }
std::string CertificateFile(const std::string& state_dir) { return state_dir + "/server.pem"; }

}  // namespace

absl::StatusOr<PrivateKey> ReadServerKey(const std::string& state_dir) {
  CULVERT_ASSIGN_OR_RETURN(const std::string pem,
                           crypto::ReadPrivateFile(KeyFile(state_dir), kMostFileBytes));
  return PrivateKey::FromPem(pem);
}

absl::StatusOr<PrivateKey> KeepServerKey(const std::string& state_dir) {
  absl::StatusOr<PrivateKey> key = ReadServerKey(state_dir);
  if (!absl::IsNotFound(key.status())) return key;
  PrivateKey made = PrivateKey::Generate();
  CULVERT_RETURN_IF_ERROR(crypto::WritePrivateFile(KeyFile(state_dir), made.Pem()));
  return made;
}

std::optional<Certificate> FindServerCertificate(const std::string& state_dir,
                                                 const PrivateKey& key,
                                                 const Certificate& authority,
                                                 crypto::WallTime now) {
  const absl::StatusOr<std::string> pem =
      crypto::ReadPrivateFile(CertificateFile(state_dir), kMostFileBytes);
  if (!pem.ok()) return std::nullopt;
  const std::vector<std::string> chain = crypto::SplitPem(*pem);
  if (chain.empty()) return std::nullopt;
  absl::StatusOr<Certificate> leaf = Certificate::FromPem(chain.front());
  const bool good = leaf.ok() && leaf->public_key() == key.public_key() &&
                    leaf->CheckIssuedBy(authority, crypto::Usage::kServer, now).ok();
  if (!good) return std::nullopt;
  return *std::move(leaf);
}

absl::StatusOr<std::optional<PrivateKey>> FindKeyToSign(const std::string& state_dir,
                                                        crypto::WallTime now) {
  if (LoadAuthority(state_dir).ok()) return std::nullopt;  // the broker does it by itself
  const absl::StatusOr<Certificate> authority = ReadAuthority(state_dir);
  if (absl::IsNotFound(authority.status())) return std::nullopt;
  if (!authority.ok()) return authority.status();
  absl::StatusOr<PrivateKey> key = ReadServerKey(state_dir);
  if (absl::IsNotFound(key.status())) return std::nullopt;
  if (!key.ok()) return key.status();
  const std::optional<Certificate> leaf = FindServerCertificate(state_dir, *key, *authority, now);
  if (leaf && now < crypto::RenewAt(*leaf)) return std::nullopt;
  return std::optional<PrivateKey>(*std::move(key));
}

absl::Status WriteServerCertificate(const std::string& state_dir, const Certificate& leaf,
                                    const Certificate& authority) {
  return crypto::WritePrivateFile(CertificateFile(state_dir), leaf.Pem() + authority.Pem());
}

}  // namespace culvert::broker
