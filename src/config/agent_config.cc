#include "config/agent_config.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "config/clear_data.h"
#include "config/credentials_policy.h"
#include "config/names.h"
#include "config/path_choice.h"
#include "config/program.h"
#include "config/units.h"
#include "config/user_list.h"

namespace culvert::config {
namespace {

Setting AllowSetting(AllowList& allow) {
  Setting setting{"allow",
                  '\0',
                  "RULE",
                  "What may be reached: HOST:PORT, HOST:*, CIDR:PORT or CIDR:*, such as\n"
                  "      127.0.0.1:22, db.lan:5432, 10.0.0.0/8:*, [fd00::/8]:443.",
                  "nothing",
                  FileForm::kList};
  setting.clear = [&allow] { allow = AllowList(); };
  setting.set = [&allow](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(AllowRule rule, AllowRule::Parse(text));
    allow.Add(std::move(rule));
    return absl::OkStatus();
  };
  return Named(std::move(setting));
}

Setting UsersSetting(std::vector<std::string>& users) {
  Setting setting{"user", '\0', "USER",
                  "Who may use this agent: the name of a user, or key: and a key id. Only\n"
                  "      keys bind a broker that was broken into.",
                  "whoever the broker lets in"};
  setting.variable = "CULVERT_USERS";
  setting.key = "users";
  return ListSetting(std::move(setting), users, UserList::ParseEntry);
}

Settings RunSettings(AgentConfig& config) {
  Settings settings = {
      ListSetting({"broker", '\0', "HOST:PORT",
                   "The broker to register with; without a port: SRV, or 7400.",
                   "the one of the enrolment"},
                  config.brokers, ParseBroker),
      ValueSetting({"name", '\0', "NAME", "What users call this agent.", "the identity's"},
                   config.name, ParseAgentName),
      ValueSetting({"project", '\0', "PROJECT", "The project of this agent.", "the identity's"},
                   config.project, ParseProject),
      ValueSetting({"region", '\0', "REGION", "The region of the broker, if it has one."},
                   config.region, ParseRegion),
      ValueSetting({"service-domain", '\0', "DOMAIN", "The domain of the agent's services."},
                   config.service_domain, ParseServiceDomain),
      AllowSetting(config.allow),
      UsersSetting(config.users),
      SwitchSetting({"plaintext", '\0', "",
                     "Serve users without end-to-end encryption too: the broker can read them."},
                    config.plaintext),
      ClearDataSetting(config.allow_clear_data, "with --plaintext"),
      RotateKeySetting(config.rotate_key),
      ValueSetting(
          {"dial-timeout", '\0', "DURATION", "How long resolving and dialling a target may take.",
           FormatDuration(config.dial_timeout), FileForm::kQuantity},
          config.dial_timeout, ParsePositiveDuration),
      ValueSetting({"resume-timeout", '\0', "DURATION",
                    "How long a connection outlives the loss of its path; 0: not at all.",
                    FormatDuration(config.resume_timeout), FileForm::kQuantity},
                   config.resume_timeout, ParseDuration),
      PathSetting(config.path),
  };
  for (Setting& setting : CommonSettings(config.common, {"/etc/culvert/agent.toml for root, else "
                                                         "~/.config/culvert/agent.toml",
                                                         "/var/lib/culvert-agent for root, else "
                                                         "~/.local/state/culvert-agent"})) {
    settings.push_back(std::move(setting));
  }
  return settings;
}

absl::Status NoBroker() {
  return absl::InvalidArgumentError(
      "no broker: give --broker HOST:PORT, CULVERT_BROKER or broker in the config file");
}

// On a plain channel the broker alone says whose key it is: a list of keys would promise what it
// cannot hold.
absl::Status CheckPlaintext(const AgentConfig& config) {
  const bool by_key = std::any_of(config.users.begin(), config.users.end(),
                                  [](const auto& user) { return user.compare(0, 4, "key:") == 0; });
  if (!config.plaintext || !by_key) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "--plaintext with --user key:KEYID: without end-to-end encryption a key proves nothing; name "
      "users, or leave --plaintext out");
}

absl::Status FinishRun(AgentConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckPlaintext(config));
  CULVERT_RETURN_IF_ERROR(
      FillBrokers(config.common.state_dir, config.common.insecure, config.brokers));
  if (config.brokers.empty()) {
    // Who has not enrolled hears of that first.
    if (!config.common.insecure) CULVERT_RETURN_IF_ERROR(CheckCredentials(config));
    return NoBroker();
  }
  if (config.name.empty() && config.common.insecure) {
    return absl::InvalidArgumentError(
        "no name: give --name NAME, CULVERT_NAME or name in the config file");
  }
  return absl::OkStatus();
}

Command EnrollCommand(AgentConfig& config, const Environment& environment) {
  Command command{"enroll", "--broker HOST:PORT --token-file FILE [options]",
                  "Trade a token for this agent's identity.",
                  "Makes a key, has the broker that the token names certify it, and keeps both in\n"
                  "the state directory. Prints the name and the key's id.",
                  KeepFlags(RunSettings(config), {"broker", "config", "state-dir", "log-level"})};
  for (Setting& setting : EnrolSettings(config.enrol)) {
    command.settings.push_back(std::move(setting));
  }
  command.finish = [&config, &environment] {
    config.command = AgentConfig::Command::kEnroll;
    if (config.brokers.empty()) return NoBroker();
    return FinishEnrol(environment, config.enrol);
  };
  return command;
}

Command RenewCommand(AgentConfig& config) {
  Command command{
      "renew", "[options]", "Renew this agent's certificate now.",
      "Has the broker issue a new certificate at once, for a new key with --rotate-key.\n"
      "Prints the name and the key's id. An agent that runs takes it up on SIGHUP.",
      KeepFlags(RunSettings(config), {"broker", "config", "state-dir", "log-level", "rotate-key"})};
  command.finish = [&config] {
    config.command = AgentConfig::Command::kRenew;
    return FinishRun(config);
  };
  return command;
}

Command StatusCommand(AgentConfig& config) {
  Command command{
      "status", "[options]", "Show what the running agent does.",
      "Shows the agent that runs with this state directory, and its connections. Exits\n"
      "with 1 if none runs.",
      KeepFlags(RunSettings(config), {"config", "state-dir", "log-level"})};
  Setting json = SwitchSetting({"json", '\0', "", "Print results as JSON."}, config.json);
  json.variable.clear();
  json.key.clear();
  command.settings.push_back(std::move(json));
  command.finish = [&config] {
    config.command = AgentConfig::Command::kStatus;
    return absl::OkStatus();
  };
  return command;
}

}  // namespace

absl::StatusOr<Parsed<AgentConfig>> ParseAgentCommand(const std::vector<std::string>& args,
                                                      const Environment& environment) {
  AgentConfig config;
  config.common.state_dir = DefaultStateDir(environment, ProgramKind::kAgent);
  Program program;
  program.name = "culvert-agent";
  program.summary = "Lets culvert users reach what this machine can reach, by dialling out only.";
  program.common = &config.common;
  program.default_config_files = DefaultConfigFiles(environment, ProgramKind::kAgent);
  program.check = [&config]() -> absl::Status {
    // Who enrols has no identity yet, and none is needed to ask oneself.
    if (config.command == AgentConfig::Command::kEnroll ||
        config.command == AgentConfig::Command::kStatus) {
      return absl::OkStatus();
    }
    return CheckCredentials(config);
  };
  program.commands.push_back({"run", "[options]", "Run the agent in the foreground.",
                              "Runs the agent in the foreground: it registers with a broker and "
                              "serves what the\n--allow rules permit. SIGTERM drains it, SIGHUP "
                              "reads the configuration again.",
                              RunSettings(config)});
  program.commands.back().finish = [&config] { return FinishRun(config); };
  program.commands.push_back(EnrollCommand(config, environment));
  program.commands.push_back(RenewCommand(config));
  program.commands.push_back(StatusCommand(config));
  return ReadInto(program, config, args, environment);
}

}  // namespace culvert::config
