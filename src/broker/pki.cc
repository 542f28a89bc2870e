#include "broker/pki.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/server_files.h"
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

constexpr size_t kMostAuthorityFileBytes = size_t{64} * 1024;
constexpr auto kAuthorityLife = std::chrono::hours(24 * 3650);
// Whose clock is behind takes a new certificate too.
constexpr auto kLeeway = std::chrono::minutes(5);

std::string AuthorityCertificateFile(const std::string& directory) { return directory + "/ca.pem"; }
std::string AuthorityKeyFile(const std::string& directory) { return directory + "/ca-key.pem"; }

absl::StatusOr<bool> Exists(const std::string& file) {
  const absl::Status read = crypto::ReadPrivateFile(file, kMostAuthorityFileBytes).status();
  if (read.ok()) return true;
  if (absl::IsNotFound(read)) return false;
  return read;
}

// Not secret: whoever may.
absl::StatusOr<Certificate> ReadCertificate(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(kMostAuthorityFileBytes, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("read {}: {}", Printable(file),
                    errno == 0 ? "empty" : std::generic_category().message(errno)));
  }
  absl::StatusOr<Certificate> certificate = Certificate::FromPem(text);
  if (!certificate.ok()) return Annotate(certificate.status(), Printable(file));
  if (certificate->is_ca()) return certificate;
  return absl::FailedPreconditionError(
      fmt::format("{}: the certificate is no authority's", Printable(file)));
}

// The authority of a broker without its key, kept so that administrators find it too.
absl::StatusOr<Certificate> AdoptAuthority(const Pki::Options& options) {
  CULVERT_ASSIGN_OR_RETURN(const bool has_key, Exists(AuthorityKeyFile(options.state_dir)));
  if (has_key) {
    return absl::FailedPreconditionError(
        "ca-key.pem is here, which --ca-cert is there to avoid: move it to the machine that signs");
  }
  CULVERT_ASSIGN_OR_RETURN(Certificate given, ReadCertificate(options.authority_file));
  const absl::StatusOr<Certificate> kept = ReadAuthority(options.state_dir);
  if (absl::IsNotFound(kept.status())) {
    CULVERT_RETURN_IF_ERROR(
        crypto::WritePrivateFile(AuthorityCertificateFile(options.state_dir), given.Pem()));
    return given;
  }
  if (!kept.ok()) return kept.status();
  if (*kept == given) return given;
  return absl::FailedPreconditionError(
      fmt::format("ca.pem is of another authority than {}", Printable(options.authority_file)));
}

}  // namespace

crypto::CertificateContent PrincipalContent(const crypto::SpiffeId& id, WallTime now,
                                            std::chrono::seconds lifetime) {
  crypto::CertificateContent content;
  content.spiffe_id = id;
  content.usages = {Usage::kClient};
  if (id.role == crypto::SpiffeId::Role::kAgent) content.usages.push_back(Usage::kServer);
  content.not_before = now;  // who reads it allows for clocks that differ
  content.not_after = now + lifetime;
  return content;
}

crypto::CertificateContent BrokerContent(WallTime now, std::chrono::seconds lifetime) {
  crypto::CertificateContent content;
  // Programs check the first one alone; the others are for what asks the web port of this machine.
  content.dns_names = {rpc::kBrokerName, "localhost"};
  content.ip_addresses = {std::string("\x7f\0\0\x01", 4), std::string(15, '\0') + '\x01'};
  content.usages = {Usage::kServer};
  content.not_before = now - kLeeway;
  content.not_after = now + lifetime;
  return content;
}

absl::StatusOr<CertificateAuthority> CreateAuthority(const std::string& directory, WallTime now) {
  CULVERT_RETURN_IF_ERROR(crypto::MakePrivateDirectory(directory));
  for (const std::string& file :
       {AuthorityCertificateFile(directory), AuthorityKeyFile(directory)}) {
    CULVERT_ASSIGN_OR_RETURN(const bool exists, Exists(file));
    if (exists) return absl::AlreadyExistsError(fmt::format("{} is there", Printable(file)));
  }
  CertificateAuthority created =
      CertificateAuthority::Create("culvert authority", now - kLeeway, now + kAuthorityLife);
  // The key first: with the certificate alone the next start would not know what to do.
  CULVERT_RETURN_IF_ERROR(
      crypto::WritePrivateFile(AuthorityKeyFile(directory), created.key().Pem()));
  CULVERT_RETURN_IF_ERROR(
      crypto::WritePrivateFile(AuthorityCertificateFile(directory), created.certificate().Pem()));
  return created;
}

absl::StatusOr<CertificateAuthority> LoadAuthority(const std::string& directory) {
  CULVERT_ASSIGN_OR_RETURN(Certificate certificate, ReadAuthority(directory));
  const absl::StatusOr<std::string> key_pem =
      crypto::ReadPrivateFile(AuthorityKeyFile(directory), kMostAuthorityFileBytes);
  if (absl::IsNotFound(key_pem.status())) {
    return absl::FailedPreconditionError(
        "ca-key.pem is not there; a broker whose authority's key is on another machine needs "
        "--ca-cert");
  }
  if (!key_pem.ok()) return key_pem.status();
  CULVERT_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(*key_pem));
  return CertificateAuthority::FromParts(std::move(certificate), std::move(key));
}

absl::StatusOr<Certificate> ReadAuthority(const std::string& state_dir) {
  CULVERT_ASSIGN_OR_RETURN(
      const std::string pem,
      crypto::ReadPrivateFile(AuthorityCertificateFile(state_dir), kMostAuthorityFileBytes));
  return Certificate::FromPem(pem);
}

absl::StatusOr<std::unique_ptr<Pki>> Pki::Open(Options options, WallTime now) {
  CULVERT_RETURN_IF_ERROR(crypto::MakePrivateDirectory(options.state_dir));
  const auto failed = [&options](const absl::Status& why) {
    return absl::FailedPreconditionError(
        fmt::format("authority in {}: {}", Printable(options.state_dir), MessageOf(why)));
  };
  if (!options.authority_file.empty()) {
    absl::StatusOr<Certificate> authority = AdoptAuthority(options);
    if (!authority.ok()) return failed(authority.status());
    return std::unique_ptr<Pki>(new Pki(std::move(options), *std::move(authority), std::nullopt));
  }
  absl::StatusOr<bool> exists = Exists(AuthorityCertificateFile(options.state_dir));
  if (!exists.ok()) return exists.status();
  absl::StatusOr<CertificateAuthority> authority =
      *exists ? LoadAuthority(options.state_dir) : CreateAuthority(options.state_dir, now);
  if (!authority.ok()) return failed(authority.status());
  Certificate certificate = authority->certificate();
  return std::unique_ptr<Pki>(
      new Pki(std::move(options), std::move(certificate), *std::move(authority)));
}

absl::StatusOr<Certificate> Pki::Issue(const crypto::SpiffeId& id, const crypto::PublicKey& key,
                                       WallTime now,
                                       std::optional<std::chrono::seconds> lifetime) const {
  if (!signer_) {
    return absl::FailedPreconditionError(
        "this broker signs nothing: its authority's key is not here");
  }
  return signer_->Issue(
      key,
      PrincipalContent(id, now, std::min(lifetime.value_or(options_.lifetime), options_.lifetime)));
}

absl::Status Pki::KeepServerCertificate(WallTime now) {
  // The same key for as long as it can be read: the two files cannot change in one step, and a
  // certificate for the old key goes on being one for the new one.
  CULVERT_ASSIGN_OR_RETURN(const PrivateKey key, KeepServerKey(options_.state_dir));
  if (!signer_) return AwaitServerCertificate(now);
  const std::optional<Certificate> leaf =
      FindServerCertificate(options_.state_dir, key, authority_, now);
  if (leaf && now < crypto::RenewAt(*leaf)) return absl::OkStatus();
  return WriteServerCertificate(
      options_.state_dir, signer_->Issue(key.public_key(), BrokerContent(now, options_.lifetime)),
      authority_);
}

absl::Status Pki::AwaitServerCertificate(WallTime now) const {
  CULVERT_ASSIGN_OR_RETURN(const PrivateKey key, ReadServerKey(options_.state_dir));
  const std::optional<Certificate> leaf =
      FindServerCertificate(options_.state_dir, key, authority_, now);
  constexpr const char* kWhatToDo =
      "run 'culvert-broker ca requests --json' here, 'culvert-broker ca sign' where the key of "
      "the authority is, and 'culvert-broker ca import' here";
  if (!leaf) {
    return absl::FailedPreconditionError(
        fmt::format("the broker has no certificate of its authority yet: {}", kWhatToDo));
  }
  if (now >= crypto::RenewAt(*leaf)) {
    CULVERT_LOG(kWarning, "the broker's certificate expires at {}: {}",
                FormatTime(leaf->not_after()), kWhatToDo);
  }
  return absl::OkStatus();
}

}  // namespace culvert::broker
