#include "sdk/pending_key.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/private_file.h"

namespace culvert {
namespace {

using crypto::PrivateKey;

constexpr size_t kMostKeyBytes = 4096;

std::string EnrollingFile(const std::string& state_dir) { return state_dir + "/enrolling.pem"; }
std::string RenewingFile(const std::string& state_dir) { return state_dir + "/renewing.pem"; }

// The first line of the file. The token itself would let whoever reads the file enrol.
std::string TokenLine(const std::string& token) {
  return fmt::format("token {}\n", crypto::Base32(crypto::Sha256(token)));
}

absl::StatusOr<PrivateKey> ParseKey(const std::string& file, std::string_view pem) {
  absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(std::string(pem));
  if (!key.ok()) return Annotate(key.status(), Printable(file));
  return key;
}

absl::StatusOr<std::optional<PrivateKey>> ReadRenewingKey(const std::string& state_dir) {
  const std::string file = RenewingFile(state_dir);
  const absl::StatusOr<std::string> pem = crypto::ReadPrivateFile(file, kMostKeyBytes);
  if (absl::IsNotFound(pem.status())) return std::optional<PrivateKey>();
  if (!pem.ok()) return pem.status();
  CULVERT_ASSIGN_OR_RETURN(PrivateKey key, ParseKey(file, *pem));
  return std::optional<PrivateKey>(std::move(key));
}

}  // namespace

absl::StatusOr<PrivateKey> EnrollingKey(const std::string& state_dir, const std::string& token) {
  const std::string file = EnrollingFile(state_dir);
  const std::string line = TokenLine(token);
  const absl::StatusOr<std::string> kept = crypto::ReadPrivateFile(file, kMostKeyBytes);
  if (!kept.ok() && !absl::IsNotFound(kept.status())) return kept.status();
  if (kept.ok() && kept->compare(0, line.size(), line) == 0) {
    return ParseKey(file, std::string_view(*kept).substr(line.size()));
  }
  PrivateKey key = PrivateKey::Generate();
  CULVERT_RETURN_IF_ERROR(crypto::MakePrivateDirectory(state_dir));
  CULVERT_RETURN_IF_ERROR(crypto::WritePrivateFile(file, line + key.Pem()));
  return key;
}

absl::Status ForgetEnrollingKey(const std::string& state_dir) {
  return crypto::RemovePrivateFile(EnrollingFile(state_dir));
}

absl::StatusOr<PrivateKey> RenewingKey(const std::string& state_dir,
                                       const crypto::PublicKey& present) {
  CULVERT_ASSIGN_OR_RETURN(std::optional<PrivateKey> pending, ReadRenewingKey(state_dir));
  // With the present one the last change came to its end but for the file.
  if (pending && !(pending->public_key() == present)) return *std::move(pending);
  PrivateKey made = PrivateKey::Generate();
  CULVERT_RETURN_IF_ERROR(crypto::WritePrivateFile(RenewingFile(state_dir), made.Pem()));
  return made;
}

absl::Status ForgetRenewingKey(const std::string& state_dir) {
  return crypto::RemovePrivateFile(RenewingFile(state_dir));
}

void ForgetIfRefused(const std::string& state_dir, const crypto::PublicKey& next,
                     const absl::Status& why) {
  if (!absl::IsPermissionDenied(why) && !absl::IsFailedPrecondition(why)) return;
  const absl::StatusOr<std::optional<PrivateKey>> kept = ReadRenewingKey(state_dir);
  if (!kept.ok() || !*kept || !((*kept)->public_key() == next)) return;
  const absl::Status forgotten = ForgetRenewingKey(state_dir);
  if (!forgotten.ok()) CULVERT_LOG(kWarning, "{}", MessageOf(forgotten));
}

}  // namespace culvert
