#include "broker/admin_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "base/log.h"
#include "base/status.h"
#include "broker/jwks_fetch.h"

namespace culvert::broker {
namespace {

absl::StatusOr<std::string> Absolute(const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error);
  if (!error) return whole.lexically_normal().string();
  return absl::FailedPreconditionError(fmt::format("{}: {}", Printable(path), error.message()));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  CULVERT_ASSIGN_OR_RETURN(const std::string whole, Absolute(path));
  return FetchKeySet({whole, ""});
}

// A private key that was named by mistake goes no further.
absl::StatusOr<std::string> ReadPublicKey(const std::string& path) {
  CULVERT_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  if (text.find("PRIVATE KEY-----") == std::string::npos) return text;
  return absl::InvalidArgumentError(fmt::format(
      "{} is a private key: give the public one (openssl pkey -pubout)", Printable(path)));
}

bool IsUrl(const std::string& text) { return text.find("://") != std::string::npos; }

}  // namespace

absl::Status AttachFiles(const config::AdminCommand& command, Json& request) {
  Json& args = request["args"];
  if (command.name == "service-account add") {
    CULVERT_ASSIGN_OR_RETURN(args["public_key"], ReadPublicKey(command.public_key));
  }
  if (command.name != "issuer add") return absl::OkStatus();
  if (!command.ca_file.empty()) {
    CULVERT_ASSIGN_OR_RETURN(args["authorities"], ReadFile(command.ca_file));
  }
  if (IsUrl(command.jwks)) return absl::OkStatus();
  // The broker reads it again by this name.
  CULVERT_ASSIGN_OR_RETURN(args["jwks"], Absolute(command.jwks));
  CULVERT_ASSIGN_OR_RETURN(args["keys"], ReadFile(command.jwks));
  return absl::OkStatus();
}

}  // namespace culvert::broker
