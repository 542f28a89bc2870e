#include "config/enrolment.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "crypto/private_file.h"

namespace culvert::config {
namespace {

constexpr size_t kMostTokenBytes = 4096;
constexpr size_t kMostFileBytes = size_t{64} * 1024;

std::string BrokersFile(const std::string& state_dir) { return state_dir + "/brokers"; }

absl::StatusOr<std::string> ParseFileName(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("expected a path, or - for standard input");
  return std::string(text);
}

absl::StatusOr<std::string> ReadAll(std::FILE* file, const std::string& name) {
  std::string text;
  std::array<char, kMostTokenBytes> buffer{};
  while (text.size() <= kMostTokenBytes) {
    const size_t got = std::fread(buffer.data(), 1, buffer.size(), file);
    text.append(buffer.data(), got);
    if (got == 0) break;
  }
  if (std::ferror(file) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("read {}: {}", Printable(name), std::generic_category().message(errno)));
  }
  if (text.size() > kMostTokenBytes) {
    return absl::InvalidArgumentError(fmt::format("{} is too long for a token", Printable(name)));
  }
  return text;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& name) {
  if (name == "-") return ReadAll(stdin, "standard input");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("read {}: {}", Printable(name), std::generic_category().message(errno)));
  }
  return ReadAll(file.get(), name);
}

absl::StatusOr<std::string> ReadToken(const EnrolConfig& config) {
  std::string token = config.token;
  if (!config.token_file.empty()) {
    CULVERT_ASSIGN_OR_RETURN(token, ReadTokenFile(config.token_file));
  }
  absl::StripAsciiWhitespace(&token);
  return token;
}

std::string Describe(const crypto::Identity& identity) {
  const crypto::SpiffeId& id = identity.spiffe_id();
  return fmt::format("enrolled as {} {} of projects/{}\nkey id: {}\n", crypto::RoleName(id.role),
                     id.name, id.project, identity.key.public_key().id());
}

absl::Status EnrollNow(const std::string& state_dir, const std::vector<Endpoint>& brokers,
                       const EnrolConfig& config, EnrolFunction enrol) {
  CULVERT_ASSIGN_OR_RETURN(const std::string token, ReadToken(config));
  CULVERT_ASSIGN_OR_RETURN(const crypto::Identity identity, enrol(token));
  CULVERT_RETURN_IF_ERROR(SaveEnrolledBrokers(state_dir, brokers));
  return PrintResult(Describe(identity));
}

}  // namespace

Settings EnrolSettings(EnrolConfig& config) {
  Setting file = ValueSetting({"token-file", '\0', "FILE",
                               "The file that holds the token; - is standard input. Without it\n"
                               "      CULVERT_TOKEN is the token.",
                               "", FileForm::kNone},
                              config.token_file, ParseFileName);
  Setting force = SwitchSetting(
      {"force", '\0', "", "Replace the identity that the state directory holds."}, config.force);
  force.variable.clear();
  force.key.clear();
  return {std::move(file), std::move(force)};
}

absl::Status FinishEnrol(const Environment& environment, EnrolConfig& config) {
  if (!config.token_file.empty()) return absl::OkStatus();
  if (const auto token = environment.Get("CULVERT_TOKEN")) {
    config.token = *token;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "no token: give --token-file FILE or CULVERT_TOKEN; 'culvert-broker token create' makes one");
}

absl::Status SaveEnrolledBrokers(const std::string& state_dir,
                                 const std::vector<Endpoint>& brokers) {
  std::string text;
  for (const Endpoint& broker : brokers) text += broker.ToString() + "\n";
  return crypto::WritePrivateFile(BrokersFile(state_dir), text);
}

absl::StatusOr<std::vector<Endpoint>> ReadEnrolledBrokers(const std::string& state_dir) {
  const std::string file = BrokersFile(state_dir);
  const absl::StatusOr<std::string> text = crypto::ReadPrivateFile(file, kMostFileBytes);
  std::vector<Endpoint> brokers;
  if (absl::IsNotFound(text.status())) return brokers;
  if (!text.ok()) return text.status();
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n', absl::SkipWhitespace());
  for (const std::string& line : lines) {
    absl::StatusOr<Endpoint> broker = ParseBroker(line);
    if (!broker.ok()) return Annotate(broker.status(), Printable(file));
    brokers.push_back(*std::move(broker));
  }
  return brokers;
}

absl::Status FillBrokers(const std::string& state_dir, bool insecure,
                         std::vector<Endpoint>& brokers) {
  if (!brokers.empty() || insecure) return absl::OkStatus();
  CULVERT_ASSIGN_OR_RETURN(brokers, ReadEnrolledBrokers(state_dir));
  return absl::OkStatus();
}

int RunEnroll(const std::string& program, const std::string& state_dir,
              const std::vector<Endpoint>& brokers, const EnrolConfig& config,
              EnrolFunction enrol) {
  const absl::Status enrolled = EnrollNow(state_dir, brokers, config, enrol);
  if (enrolled.ok()) return 0;
  PrintError(program, Annotate(enrolled, "enroll"));
  return kExitFailure;
}

}  // namespace culvert::config
