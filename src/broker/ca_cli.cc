#include "broker/ca_cli.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/admin_client.h"
#include "broker/pki.h"
#include "broker/signing.h"
#include "config/main.h"
#include "crypto/private_file.h"

namespace culvert::broker {
namespace {

constexpr char kProgram[] = "culvert-broker";

absl::Status FileError(const std::string& name) {
  return absl::FailedPreconditionError(
      fmt::format("{}: {}", Printable(name), std::generic_category().message(errno)));
}

absl::StatusOr<std::string> ReadAll(std::FILE* file, const std::string& name) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), file)) {
    text.append(buffer.data(), got);
    if (text.size() > kMostSigningBytes) {
      return absl::InvalidArgumentError(fmt::format("{}: too long", Printable(name)));
    }
  }
  if (std::ferror(file) != 0) return FileError(name);
  return text;
}

absl::StatusOr<std::string> ReadInput(const std::string& name) {
  if (name == "-") return ReadAll(stdin, "standard input");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "re"),
                                                             &std::fclose);
  return file == nullptr ? FileError(name) : ReadAll(file.get(), name);
}

absl::Status Create(const config::BrokerConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const crypto::CertificateAuthority authority,
                           CreateAuthority(config.common.state_dir, WallNow()));
  return config::PrintResult(
      fmt::format("CA fingerprint {}\n", authority.certificate().Fingerprint()));
}

absl::Status Sign(const config::BrokerConfig& config) {
  const absl::StatusOr<crypto::CertificateAuthority> authority =
      LoadAuthority(config.common.state_dir);
  if (!authority.ok()) {
    return Annotate(authority.status(),
                    fmt::format("authority in {}", Printable(config.common.state_dir)));
  }
  CULVERT_ASSIGN_OR_RETURN(const std::string requests, ReadInput(config.admin.in));
  SigningOptions options;
  options.only = config.admin.only;
  options.on_request = [](const SigningSubject& subject, const std::string& key_id) {
    std::fprintf(stderr, "%s: signed for %s, key %s\n", kProgram, subject.ToString().c_str(),
                 key_id.c_str());
  };
  CULVERT_ASSIGN_OR_RETURN(const std::string lines,
                           SignRequests(*authority, requests, options, WallNow()));
  if (config.admin.out == "-") return config::PrintResult(lines);
  return crypto::WritePrivateFile(config.admin.out, lines);
}

absl::Status ImportLine(const config::BrokerConfig& config, const std::string& line) {
  CULVERT_ASSIGN_OR_RETURN(const std::string certificate, ReadSignedLine(line));
  CULVERT_ASSIGN_OR_RETURN(
      const Json result,
      CallAdmin(config.common.state_dir, config.audit_file(),
                {{"command", "ca import"}, {"args", {{"certificate", certificate}}}}));
  return config::PrintResult(
      fmt::format("imported for {}, key {}\n", result.value("for", ""), result.value("key", "")));
}

// Each by itself: one that nobody waits for any more does not keep the others out.
absl::Status Import(const config::BrokerConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const std::string text, ReadInput(config.admin.in));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  absl::Status failed;
  int number = 0;
  for (const std::string& line : lines) {
    ++number;
    if (line.empty()) continue;
    const absl::Status imported =
        Annotate(ImportLine(config, line), fmt::format("line {}", number));
    if (imported.ok()) continue;
    if (!failed.ok()) config::PrintError(kProgram, failed);
    failed = imported;
  }
  return failed;
}

}  // namespace

bool IsCaCommand(const config::AdminCommand& command) {
  return command.name == "ca create" || command.name == "ca sign" || command.name == "ca import";
}

absl::Status RunCaCommand(const config::BrokerConfig& config) {
  if (config.admin.name == "ca create") return Create(config);
  return config.admin.name == "ca sign" ? Sign(config) : Import(config);
}

}  // namespace culvert::broker
