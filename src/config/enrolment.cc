#include "config/enrolment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "config/state_owner.h"
#include "config/text_file.h"
#include "config/units.h"
#include "crypto/private_file.h"

namespace culvert::config {
namespace {

constexpr size_t kMostTokenBytes = 4096;
constexpr size_t kMostFileBytes = size_t{64} * 1024;

std::string BrokersFile(const std::string& state_dir) { return state_dir + "/brokers"; }

absl::StatusOr<std::string> ParseFileOrStdin(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("expected a path, or - for standard input");
  return std::string(text);
}

absl::StatusOr<std::string> ReadToken(const EnrolConfig& config) {
  std::string token = config.token;
  if (!config.token_file.empty()) {
    CULVERT_ASSIGN_OR_RETURN(token, ReadFileOrStdin(config.token_file, kMostTokenBytes));
  }
  absl::StripAsciiWhitespace(&token);
  return token;
}

// `what` happened: "enrolled as".
std::string Describe(std::string_view what, const crypto::Identity& identity) {
  const crypto::SpiffeId& id = identity.spiffe_id();
  return fmt::format("{} {} {} of projects/{}\nkey id: {}\n", what, crypto::RoleName(id.role),
                     id.name, id.project, identity.key.public_key().id());
}

// Where certificates are signed on another machine, people do it.
constexpr std::chrono::seconds kAskAgain(5);

// Asks for as long as `config` says, if there is something to wait for.
absl::StatusOr<crypto::Certified> EnrolOrWait(const std::string& program,
                                              const std::string& state_dir,
                                              const EnrolConfig& config, EnrolFunction enrol) {
  // The token first: the owner of the state may not be allowed to read it.
  CULVERT_ASSIGN_OR_RETURN(const std::string token, ReadToken(config));
  CULVERT_RETURN_IF_ERROR(ActAsOwner(state_dir));
  const MonotonicTime end = MonotonicNow() + config.wait;
  bool told = false;
  while (true) {
    absl::StatusOr<crypto::Certified> enrolled = enrol(token);
    const Duration left = end - MonotonicNow();
    if (!enrolled.ok() || enrolled->identity || left <= Duration::zero()) return enrolled;
    if (!std::exchange(told, true)) {
      std::fprintf(stderr, "%s: enroll: key %s waits to be signed\n", program.c_str(),
                   enrolled->key.id().c_str());
    }
    std::this_thread::sleep_for(std::min<Duration>(left, kAskAgain));
  }
}

// What came of `command`, as an exit code.
int Report(const std::string& program, std::string_view command, std::string_view done,
           const absl::StatusOr<crypto::Certified>& certified) {
  absl::Status told = certified.status();
  if (told.ok() && !certified->identity) {
    PrintError(program, absl::UnavailableError(fmt::format(
                            "{}: key {} waits to be signed (culvert-broker ca sign): repeat this "
                            "command when it is",
                            command, certified->key.id())));
    return kExitWaits;
  }
  if (told.ok()) told = PrintResult(Describe(done, *certified->identity));
  if (told.ok()) return 0;
  PrintError(program, Annotate(told, command));
  return kExitFailure;
}

}  // namespace

Settings EnrolSettings(EnrolConfig& config) {
  Setting file = ValueSetting({"token-file", '\0', "FILE",
                               "The file that holds the token; - is standard input. Without it\n"
                               "      CULVERT_TOKEN is the token.",
                               "", FileForm::kNone},
                              config.token_file, ParseFileOrStdin);
  Setting force = SwitchSetting(
      {"force", '\0', "", "Replace the identity that the state directory holds."}, config.force);
  force.variable.clear();
  force.key.clear();
  Setting wait = ValueSetting({"wait", '\0', "DURATION",
                               "How long to wait for the certificate where it is signed elsewhere.",
                               FormatDuration(config.wait), FileForm::kNone},
                              config.wait, ParseDuration);
  wait.variable.clear();
  wait.key.clear();
  return {std::move(file), std::move(force), std::move(wait)};
}

Setting RotateKeySetting(bool& rotate_key) {
  return SwitchSetting(
      {"rotate-key", '\0', "", "Renew for a new key each time, which the old one vouches for."},
      rotate_key);
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
  absl::StatusOr<crypto::Certified> enrolled = EnrolOrWait(program, state_dir, config, enrol);
  if (enrolled.ok() && enrolled->identity) {
    const absl::Status saved = SaveEnrolledBrokers(state_dir, brokers);
    if (!saved.ok()) enrolled = saved;
  }
  return Report(program, "enroll", "enrolled as", enrolled);
}

int RunRenew(const std::string& program, const std::string& state_dir, RenewFunction renew) {
  const absl::Status as_owner = ActAsOwner(state_dir);
  return Report(program, "renew", "renewed",
                as_owner.ok() ? renew() : absl::StatusOr<crypto::Certified>(as_owner));
}

}  // namespace culvert::config
