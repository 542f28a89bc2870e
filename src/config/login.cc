#include "config/login.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/log.h"
#include "base/status.h"
#include "config/text_file.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"

namespace culvert::config {
namespace {

constexpr size_t kMostCertificateBytes = size_t{64} * 1024;

absl::StatusOr<std::string> ParseFileName(std::string_view text) {
  if (!text.empty()) return std::string(text);
  return absl::InvalidArgumentError("expected a path");
}

absl::StatusOr<std::string> ParseFingerprint(std::string_view text) {
  if (crypto::IsKeyId(text)) return std::string(text);
  return absl::InvalidArgumentError("expected the 52 characters that culvert-broker serve prints");
}

// A flag of this command: neither a variable nor the file can set it.
Setting OnlyFlag(Setting setting) {
  setting.variable.clear();
  setting.key.clear();
  return setting;
}

}  // namespace

Settings LoginSettings(LoginConfig& config) {
  return {OnlyFlag(ValueSetting(
              {"jwt-file", '\0', "FILE",
               "The file that holds the JSON Web Token; - is standard input.", "", FileForm::kNone},
              config.jwt_file, ParseFileName)),
          OnlyFlag(ValueSetting(
              {"ca-cert", '\0', "FILE", "The certificate of the broker's authority (its ca.pem).",
               "", FileForm::kNone},
              config.ca_cert, ParseFileName)),
          OnlyFlag(ValueSetting(
              {"ca-fingerprint", '\0', "FINGERPRINT",
               "Its fingerprint, as culvert-broker serve prints it.", "", FileForm::kNone},
              config.ca_fingerprint, ParseFingerprint)),
          OnlyFlag(SwitchSetting(
              {"force", '\0', "", "Replace an identity of somebody else, and its key."},
              config.force))};
}

absl::Status FinishLogin(const LoginConfig& config) {
  if (config.jwt_file.empty()) return absl::InvalidArgumentError("no token: give --jwt-file FILE");
  if (config.ca_cert.empty() || config.ca_fingerprint.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("give one of --ca-cert and --ca-fingerprint");
}

absl::StatusOr<std::string> ReadJwt(const LoginConfig& config) {
  constexpr size_t kMost = crypto::Jwt::kMostBytes + 16;  // with a line feed
  absl::StatusOr<std::string> text = ReadFileOrStdin(config.jwt_file, kMost);
  if (text.ok()) absl::StripAsciiWhitespace(&*text);
  return text;
}

absl::StatusOr<crypto::Certificate> ReadAuthority(const std::string& file) {
  CULVERT_ASSIGN_OR_RETURN(const std::string pem, ReadFile(file, kMostCertificateBytes));
  absl::StatusOr<crypto::Certificate> certificate = crypto::Certificate::FromPem(pem);
  if (!certificate.ok()) return Annotate(certificate.status(), Printable(file));
  if (certificate->is_ca()) return certificate;
  return absl::InvalidArgumentError(fmt::format("{} is no authority's", Printable(file)));
}

}  // namespace culvert::config
