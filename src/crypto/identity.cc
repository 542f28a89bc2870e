#include "crypto/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/private_file.h"

namespace culvert::crypto {
namespace {

constexpr size_t kMostFileBytes = size_t{64} * 1024;
constexpr size_t kParts = 3;

std::string FileOf(const std::string& state_dir) { return state_dir + "/identity.pem"; }

absl::StatusOr<Identity> Parse(std::string_view text) {
  const std::vector<std::string> parts = SplitPem(text);
  if (parts.size() != kParts) {
    return absl::InvalidArgumentError("expected a key, its certificate and the authority's");
  }
  CULVERT_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(parts[0]));
  CULVERT_ASSIGN_OR_RETURN(Certificate certificate, Certificate::FromPem(parts[1]));
  CULVERT_ASSIGN_OR_RETURN(Certificate authority, Certificate::FromPem(parts[2]));
  return Identity::FromParts(std::move(key), std::move(certificate), std::move(authority));
}

}  // namespace

absl::StatusOr<Identity> Identity::FromParts(PrivateKey key, Certificate certificate,
                                             Certificate authority) {
  if (!(certificate.public_key() == key.public_key())) {
    return absl::InvalidArgumentError("the certificate is for another key");
  }
  if (!certificate.spiffe_id()) return absl::InvalidArgumentError("the certificate names nobody");
  if (!authority.is_ca()) {
    return absl::InvalidArgumentError("the authority's certificate is not an authority's");
  }
  return Identity{std::move(key), std::move(certificate), std::move(authority)};
}

WallTime RenewAt(const Certificate& certificate) {
  const auto life = certificate.not_after() - certificate.not_before();
  return certificate.not_after() - life / 3;
}

absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir) {
  const std::string file = FileOf(state_dir);
  CULVERT_ASSIGN_OR_RETURN(const std::string text, ReadPrivateFile(file, kMostFileBytes));
  absl::StatusOr<Identity> identity = Parse(text);
  if (!identity.ok()) return Annotate(identity.status(), Printable(file));
  return identity;
}

absl::Status SaveIdentity(const std::string& state_dir, const Identity& identity) {
  CULVERT_RETURN_IF_ERROR(MakePrivateDirectory(state_dir));
  return WritePrivateFile(FileOf(state_dir), identity.key.Pem() + identity.certificate.Pem() +
                                                 identity.authority.Pem());
}

std::vector<std::string> SplitPem(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kEnd = "-----END ";
  std::vector<std::string> parts;
  for (size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at)) {
    const size_t end = text.find(kEnd, at);
    if (end == std::string_view::npos) break;
    const size_t line_end = std::min(text.find('\n', end), text.size());
    parts.push_back(std::string(text.substr(at, line_end - at)) + "\n");
    at = line_end;
  }
  return parts;
}

}  // namespace culvert::crypto
