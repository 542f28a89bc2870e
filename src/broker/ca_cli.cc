#include "broker/ca_cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/admin_client.h"
#include "broker/out_file.h"
#include "broker/pki.h"
#include "broker/program_name.h"
#include "broker/signing.h"
#include "config/main.h"
#include "config/state_owner.h"
#include "config/text_file.h"

namespace culvert::broker {
namespace {

absl::Status Create(const config::BrokerConfig& config) {
  CULVERT_RETURN_IF_ERROR(config::ActAsOwner(config.common.state_dir));
  CULVERT_ASSIGN_OR_RETURN(const crypto::CertificateAuthority authority,
                           CreateAuthority(config.common.state_dir, WallNow()));
  return config::PrintResult(
      fmt::format("CA fingerprint {}\n", authority.certificate().Fingerprint()));
}

std::string InputName(const config::BrokerConfig& config) {
  return config.admin.in == "-" ? "standard input" : Printable(config.admin.in);
}

absl::Status Sign(const config::BrokerConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const std::string requests,
                           config::ReadFileOrStdin(config.admin.in, kMostSigningBytes));
  // Before anything is signed, and as who asked for it.
  CULVERT_ASSIGN_OR_RETURN(const std::unique_ptr<OutFile> out, OutFile::Open(config.admin.out));
  CULVERT_RETURN_IF_ERROR(config::ActAsOwner(config.common.state_dir));
  const absl::StatusOr<crypto::CertificateAuthority> authority =
      LoadAuthority(config.common.state_dir);
  if (!authority.ok()) {
    return Annotate(authority.status(),
                    fmt::format("authority in {}", Printable(config.common.state_dir)));
  }
  SigningOptions options;
  options.only = config.admin.only;
  options.on_request = [](const SigningSubject& subject, const std::string& key_id) {
    std::fprintf(stderr, "%s: signed for %s, key %s\n", kProgram, subject.ToString().c_str(),
                 key_id.c_str());
  };
  CULVERT_ASSIGN_OR_RETURN(const std::string lines,
                           SignRequests(*authority, requests, options, WallNow()));
  if (lines.empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "nothing to sign in {}{}", InputName(config),
        config.admin.only.empty() ? "" : ": no request is one of those that --only names"));
  }
  return out->Write(lines);
}

absl::Status ImportLine(const config::BrokerConfig& config, const Administrator& who,
                        const std::string& line) {
  CULVERT_ASSIGN_OR_RETURN(const std::string certificate, ReadSignedLine(line));
  CULVERT_ASSIGN_OR_RETURN(
      const Json result,
      CallAdmin(config.common.state_dir, config.audit_file(),
                {{"command", "ca import"}, {"args", {{"certificate", certificate}}}}, who));
  return config::PrintResult(
      fmt::format("imported for {}, key {}\n", result.value("for", ""), result.value("key", "")));
}

// Each by itself: one that nobody waits for any more does not keep the others out.
absl::Status Import(const config::BrokerConfig& config) {
  CULVERT_ASSIGN_OR_RETURN(const std::string text,
                           config::ReadFileOrStdin(config.admin.in, kMostSigningBytes));
  const Administrator who = ThisAdministrator();  // the first import may change who we are
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  absl::Status failed;
  int number = 0;
  bool any = false;
  for (const std::string& line : lines) {
    ++number;
    if (line.empty()) continue;
    any = true;
    const absl::Status imported =
        Annotate(ImportLine(config, who, line), fmt::format("line {}", number));
    if (imported.ok()) continue;
    if (!failed.ok()) config::PrintError(kProgram, failed);
    failed = imported;
  }
  if (any) return failed;
  return absl::FailedPreconditionError(fmt::format("nothing to import in {}", InputName(config)));
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
