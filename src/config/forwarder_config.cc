#include "config/forwarder_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/status.h"
#include "config/clear_data.h"
#include "config/credentials_policy.h"
#include "config/forwarder_commands.h"
#include "config/names.h"
#include "config/path_choice.h"
#include "config/program.h"
#include "config/units.h"
#include "crypto/digest.h"

namespace culvert::config {
namespace {

using ForwarderCommand = ForwarderConfig::Command;

// One [[forward]] of the config file: local, agent and target, all required.
absl::StatusOr<ForwardSpec> ForwardFromTable(const FileValue& table) {
  constexpr std::array<std::string_view, 3> kKeys = {"local", "agent", "target"};
  for (const FileValue& value : table.children) {
    if (std::find(kKeys.begin(), kKeys.end(), value.key) == kKeys.end()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: unknown key \"{}\" in [[forward]]", value.where, Printable(value.key)));
    }
    const bool is_port = value.type == FileValue::Type::kInteger && value.key != "agent";
    if (value.type != FileValue::Type::kString && !is_port) {
      const std::string_view expected =
          value.key == "agent" ? "a string" : "a string or an integer";
      return absl::InvalidArgumentError(fmt::format("{}: {}: expected {}, found {}", value.where,
                                                    value.key, expected, value.type_name));
    }
  }
  std::array<std::string_view, 3> texts;
  for (size_t i = 0; i < kKeys.size(); ++i) {
    const FileValue* const value = table.Find(kKeys[i]);
    if (value == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("{}: [[forward]] has no {}", table.where, kKeys[i]));
    }
    texts[i] = value->text;
  }
  absl::StatusOr<ForwardSpec> spec = ForwardSpecFrom(texts[0], texts[1], texts[2]);
  if (!spec.ok()) return Annotate(spec.status(), fmt::format("{}: [[forward]]", table.where));
  return spec;
}

Setting ForwardSetting(ForwarderConfig& config) {
  Setting setting = ListSetting(
      {"local-forward", 'L', "SPEC",
       "[bind_address:]port:agent:[host:]hostport: listen on port and lead it to\n"
       "      host:hostport at the agent. 127.0.0.1 is meant where nothing is said, and\n"
       "      all interfaces by an empty bind_address or *. Port 0 is chosen, and told."},
      config.forwards, ParseForwardSpec);
  setting.form = FileForm::kTables;
  setting.key = "forward";
  setting.set_table = [&config](const FileValue& table) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(ForwardSpec spec, ForwardFromTable(table));
    config.forwards.push_back(std::move(spec));
    return absl::OkStatus();
  };
  return setting;
}

// -q and -v: log levels that count as much as --log-level in the same place. The later one wins,
// and switching one off takes back what it did.
Setting LevelSwitch(Setting setting, LogLevel level, CommonConfig& common) {
  setting.form = FileForm::kSwitch;
  setting.default_text = "off";
  setting.set = [level, &common](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(const bool on, ParseSwitch(text));
    LogLevel& current = common.log_level;
    if (on) {
      current = level;
    } else if (current == level) {
      current = LogLevel::kInfo;
    }
    return absl::OkStatus();
  };
  return Named(std::move(setting));
}

// ssh's -N: there is never a remote command to suppress.
Setting IgnoredSwitch() {
  Setting setting{"no-command", 'N'};
  setting.help = "Does nothing: accepted for those used to ssh -N -L.";
  setting.form = FileForm::kSwitch;
  setting.set = [](std::string_view text) { return ParseSwitch(text).status(); };
  return setting;
}

// AGENT=KEYID: names have no '='.
Setting AgentKeySetting(std::map<std::string, std::string>& keys) {
  Setting setting{"agent-key", '\0', "AGENT=KEYID"};
  setting.help = "The key that an agent must have, whatever it was known by before.";
  setting.form = FileForm::kList;
  setting.clear = [&keys] { keys.clear(); };
  setting.set = [&keys](std::string_view text) -> absl::Status {
    const size_t equals = text.find('=');
    const std::string_view key = text.substr(std::min(text.size(), equals + 1));
    if (equals == std::string_view::npos || !ParseAgentName(text.substr(0, equals)).ok() ||
        !crypto::IsKeyId(key)) {
      return absl::InvalidArgumentError(
          "expected AGENT=KEYID, the key id as 'culvert-agent enroll' prints it");
    }
    keys[std::string(text.substr(0, equals))] = key;
    return absl::OkStatus();
  };
  return Named(std::move(setting));
}

Settings SharedSettings(ForwarderConfig& config) {
  Settings settings = {
      ListSetting(
          {"broker", '\0', "HOST:PORT", "The broker to go through; without a port: SRV, or 7400.",
           "the one of the enrolment"},
          config.brokers, ParseBroker),
      ValueSetting({"project", '\0', "PROJECT", "The project of the agent.", "the identity's"},
                   config.project, ParseProject),
      ValueSetting({"region", '\0', "REGION", "The region of the broker, if it has one."},
                   config.region, ParseRegion),
      ValueSetting({"service-domain", '\0', "DOMAIN", "The domain of the agent's services."},
                   config.service_domain, ParseServiceDomain),
      ValueSetting({"name", '\0', "NAME", "Who is asking, in the logs of broker and agent.",
                    "the identity's; USER-HOST with --insecure"},
                   config.name, ParseAgentName),
      AgentKeySetting(config.agent_keys),
      RotateKeySetting(config.rotate_key),
      ValueSetting({"open-timeout", '\0', "DURATION", "How long to wait for an agent that is away.",
                    FormatDuration(config.open_timeout), FileForm::kQuantity},
                   config.open_timeout, ParsePositiveDuration),
      ValueSetting({"resume-timeout", '\0', "DURATION",
                    "How long a connection outlives the loss of its path; 0: not at all.",
                    FormatDuration(config.resume_timeout), FileForm::kQuantity},
                   config.resume_timeout, ParseDuration),
      PathSetting(config.path),
      EndToEndSetting(config.end_to_end),
      ClearDataSetting(config.allow_clear_data, "with --e2e off"),
  };
  for (Setting& setting : CommonSettings(config.common, {"~/.config/culvert/forward.toml, else "
                                                         "/etc/culvert/forward.toml",
                                                         "~/.local/state/culvert"})) {
    settings.push_back(std::move(setting));
  }
  // After --log-level, which they overrule in the same place.
  settings.push_back(
      LevelSwitch({"quiet", 'q', "", "Log errors only."}, LogLevel::kError, config.common));
  settings.push_back(LevelSwitch({"verbose", 'v', "", "Log what is done (level debug)."},
                                 LogLevel::kDebug, config.common));
  return settings;
}

// Each local port once, but for 0: every one of those is another port.
absl::Status CheckPorts(const std::vector<ForwardSpec>& forwards) {
  std::set<std::pair<std::string, uint16_t>> seen;
  for (const ForwardSpec& forward : forwards) {
    if (forward.bind_port == 0 || seen.emplace(forward.bind_host, forward.bind_port).second) {
      continue;
    }
    return absl::InvalidArgumentError(
        fmt::format("{} is forwarded twice", forward.bind().ToString()));
  }
  return absl::OkStatus();
}

// A key that nobody has to show would promise what it cannot hold.
absl::Status CheckEndToEnd(const ForwarderConfig& config) {
  if (config.end_to_end == EndToEndChoice::kRequired || config.agent_keys.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "--e2e off with --agent-key: without end-to-end encryption a key proves nothing; "
      "leave one of them out");
}

Command ForwardCommand(ForwarderConfig& config) {
  Command command{"forward",
                  "[options] -L SPEC ...",
                  "Listen on local ports that lead to ports at agents.",
                  "Listens on local ports that lead to ports at agents, and prints one line for\n"
                  "each when it is ready. SIGTERM drains it, SIGHUP reads the configuration\n"
                  "again.",
                  {ForwardSetting(config)}};
  for (Setting& setting : SharedSettings(config)) command.settings.push_back(std::move(setting));
  command.settings.push_back(
      SwitchSetting({"json", '\0', "", "Print results as JSON."}, config.json));
  command.settings.push_back(IgnoredSwitch());
  command.finish = [&config]() -> absl::Status {
    CULVERT_RETURN_IF_ERROR(CheckEndToEnd(config));
    CULVERT_RETURN_IF_ERROR(FinishBrokers(config));
    if (!config.forwards.empty()) return CheckPorts(config.forwards);
    return absl::InvalidArgumentError(
        "nothing to forward: give -L [bind_address:]port:agent:[host:]hostport or [[forward]] in "
        "the config file");
  };
  return command;
}

absl::Status SetConnect(const std::vector<std::string>& positional, ForwarderConfig& config) {
  if (positional.size() != 1) {
    return absl::InvalidArgumentError("expected one argument, agent:[host:]port");
  }
  absl::StatusOr<ConnectSpec> spec = ParseConnectSpec(positional.front());
  if (!spec.ok()) {
    return Annotate(spec.status(), fmt::format("\"{}\"", Printable(positional.front())));
  }
  config.connect = *std::move(spec);
  return absl::OkStatus();
}

Command ConnectCommand(ForwarderConfig& config) {
  Command command{"connect", "[options] agent:[host:]port",
                  "Join standard input and output to a port at an agent.",
                  "Joins standard input and output to a port at an agent, as in\n"
                  "ssh -o ProxyCommand='culvert connect %h:%p' edge-1. Exits with 0 "
                  "after a clean\nend and with 255 when the tunnel failed.",
                  SharedSettings(config)};
  // The commands share a config file.
  command.settings.push_back(OnlyInFile(ForwardSetting(config)));
  command.settings.push_back(OnlyInFile(SwitchSetting({"json"}, config.json)));
  command.set_positional = [&config](const std::vector<std::string>& positional) {
    return SetConnect(positional, config);
  };
  command.finish = [&config]() -> absl::Status {
    config.command = ForwarderCommand::kConnect;
    config.forwards.clear();
    CULVERT_RETURN_IF_ERROR(CheckEndToEnd(config));
    return FinishBrokers(config);
  };
  return command;
}

}  // namespace

absl::Status FinishBrokers(ForwarderConfig& config) {
  CULVERT_RETURN_IF_ERROR(
      FillBrokers(config.common.state_dir, config.common.insecure, config.brokers));
  if (config.brokers.empty()) config.brokers.push_back({"127.0.0.1", kControlPort});
  return absl::OkStatus();
}

absl::StatusOr<Parsed<ForwarderConfig>> ParseForwarderCommand(const std::vector<std::string>& args,
                                                              const Environment& environment) {
  ForwarderConfig config;
  config.common.state_dir = DefaultStateDir(environment, ProgramKind::kForwarder);
  Program program;
  program.name = "culvert";
  program.summary = "Reaches ports at machines that nobody can dial, through a culvert broker.";
  program.common = &config.common;
  program.default_config_files = DefaultConfigFiles(environment, ProgramKind::kForwarder);
  program.check = [&config]() -> absl::Status {
    // Who enrols or logs in may have no identity yet, and none is needed to ask oneself.
    if (config.command == ForwarderConfig::Command::kEnroll ||
        config.command == ForwarderConfig::Command::kLogin ||
        config.command == ForwarderConfig::Command::kStatus) {
      return absl::OkStatus();
    }
    return CheckCredentials(config);
  };
  program.commands = {ForwardCommand(config), ConnectCommand(config)};
  // The commands share a config file.
  Settings shared = SharedSettings(config);
  shared.push_back(OnlyInFile(ForwardSetting(config)));
  for (Command& command : QueryCommands(config, shared, environment)) {
    program.commands.push_back(std::move(command));
  }
  CULVERT_ASSIGN_OR_RETURN(Parsed<ForwarderConfig> parsed,
                           ReadInto(program, config, args, environment));
  if (parsed.config && parsed.config->common.insecure && parsed.config->name.empty()) {
    parsed.config->name = CleanName(environment.user + "@" + environment.host);
  }
  return parsed;
}

}  // namespace culvert::config
