#include "config/broker_config.h"

#include <fmt/format.h>

#include "base/status.h"
#include "config/credentials_policy.h"
#include "config/names.h"
#include "config/program.h"
#include "config/units.h"

namespace culvert::config {
namespace {

// For what gRPC holds of some 30,000 streams, 18 KiB each, and what is on its way in them.
constexpr uint64_t kDefaultMemoryLimit = uint64_t{1} << 30;

Setting LimitSetting(std::string flag, std::string help, uint32_t& field,
                     absl::StatusOr<uint32_t> (*parse)(std::string_view) = ParseLimit) {
  return ValueSetting({std::move(flag), '\0', "NUMBER", std::move(help), fmt::format("{}", field),
                       FileForm::kInteger},
                      field, parse);
}

absl::StatusOr<std::string> ParseFile(std::string_view text) {
  if (!text.empty()) return std::string(text);
  return absl::InvalidArgumentError("expected a path");
}

absl::StatusOr<DataPortChoice> ParseDataPort(std::string_view text) {
  if (text == "off") return DataPortChoice{DataPortChoice::Kind::kNone, 0};
  const absl::StatusOr<uint16_t> port = ParseBindPort(text);
  if (port.ok()) return DataPortChoice{DataPortChoice::Kind::kPort, *port};
  return absl::InvalidArgumentError("expected a port, 0 for one that is chosen, or off");
}

absl::StatusOr<uint16_t> ParseAdvertised(std::string_view text) {
  const absl::StatusOr<uint16_t> port = ParseBindPort(text);
  if (port.ok() && *port != 0) return *port;
  return absl::InvalidArgumentError("expected a port, 1 to 65535");
}

absl::StatusOr<WebChoice> ParseWeb(std::string_view text) {
  if (text == "off") return WebChoice{WebChoice::Kind::kNone};
  absl::StatusOr<Endpoint> address = ParseListen(text);
  if (!address.ok()) {
    return absl::InvalidArgumentError(fmt::format("{}, or off", MessageOf(address.status())));
  }
  return WebChoice{WebChoice::Kind::kAddress, *std::move(address)};
}

absl::StatusOr<std::string> ParseAudience(std::string_view text) {
  constexpr size_t kMostBytes = 512;
  if (!text.empty() && text.size() <= kMostBytes) return std::string(text);
  return absl::InvalidArgumentError("expected 1 to 512 bytes");
}

Settings ServeSettings(BrokerConfig& config) {
  Settings settings = {
      ListSetting({"listen", '\0', "ADDR:PORT",
                   "Where agents and forwarders connect to. Port 0 is chosen and printed.",
                   config.listen.front().ToString()},
                  config.listen, ParseListen),
      ValueSetting({"data-port", '\0', "PORT",
                    "Where agents and forwarders bring connections to be joined, at the\n"
                    "      addresses of --listen. Port 0 is chosen, off is none.",
                    "the one after that of listen", FileForm::kQuantity},
                   config.data_port, ParseDataPort),
      ValueSetting({"advertise-data", '\0', "PORT",
                    "The data port as they are to dial it, if it is another one there.", "",
                    FileForm::kInteger},
                   config.advertise_data, ParseAdvertised),
      ValueSetting({"web", '\0', "ADDR:PORT",
                    "Where REST and WebSockets are served. Port 0 is chosen and printed,\n"
                    "      off is none.",
                    "127.0.0.1:7490"},
                   config.web, ParseWeb),
      ValueSetting({"region", '\0', "REGION", "The region that this broker is."}, config.region,
                   ParseRegion),
      LimitSetting("max-connections-per-address", "Connections from one peer address.",
                   config.max_connections_per_address),
      LimitSetting("max-streams-per-address", "Streams open from one peer address.",
                   config.max_streams_per_address),
      LimitSetting("max-pending-per-address", "Openings under way from one peer address.",
                   config.max_pending_per_address),
      LimitSetting("max-connections", "Connections in all; 0 is 90 % of the file descriptors.",
                   config.max_connections, ParseLimitOrZero),
      ValueSetting({"audit-log", '\0', "FILE", "Where what happens is recorded.",
                    "audit.log in the state directory"},
                   config.audit_log, ParseFile),
      ValueSetting({"ca-cert", '\0', "FILE",
                    "The certificate of an authority whose key is on another machine:\n"
                    "      certificates then wait to be signed there, see ca sign."},
                   config.ca_cert, ParseFile),
      ValueSetting(
          {"jwt-audience", '\0', "AUDIENCE",
           "What the JSON Web Tokens of service accounts have to be for.", config.jwt_audience},
          config.jwt_audience, ParseAudience),
      SwitchSetting({"json", '\0', "", "Print results as JSON."}, config.json),
  };
  for (Setting& setting : CommonSettings(config.common, {"/etc/culvert/broker.toml for root, else "
                                                         "~/.config/culvert/broker.toml",
                                                         "/var/lib/culvert-broker for root, else "
                                                         "~/.local/state/culvert-broker"})) {
    settings.push_back(std::move(setting));
  }
  return settings;
}

absl::Status CheckListen(const BrokerConfig& config) {
  if (!config.listen.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("listen: at least one address is needed");
}

absl::Status CheckDataPort(const BrokerConfig& config) {
  using Kind = DataPortChoice::Kind;
  if (config.data_port.kind == Kind::kNone && config.advertise_data != 0) {
    return absl::InvalidArgumentError("--advertise-data without a data port: --data-port is off");
  }
  if (config.data_port.kind != Kind::kPort || config.data_port.port == 0) return absl::OkStatus();
  for (const Endpoint& listen : config.listen) {
    if (listen.port != config.data_port.port) continue;
    return absl::InvalidArgumentError(
        fmt::format("--data-port {} is the port of --listen {}", listen.port, listen.ToString()));
  }
  return absl::OkStatus();
}

absl::Status Check(const BrokerConfig& config) {
  CULVERT_RETURN_IF_ERROR(CheckListen(config));
  CULVERT_RETURN_IF_ERROR(CheckDataPort(config));
  return CheckCredentials(config);
}

}  // namespace

absl::StatusOr<Parsed<BrokerConfig>> ParseBrokerCommand(const std::vector<std::string>& args,
                                                        const Environment& environment) {
  BrokerConfig config;
  config.common.memory_limit = kDefaultMemoryLimit;
  config.common.state_dir = DefaultStateDir(environment, ProgramKind::kBroker);
  Program program;
  program.name = "culvert-broker";
  program.summary = "Joins culvert agents and forwarders, which both dial out to it.";
  program.common = &config.common;
  program.default_config_files = DefaultConfigFiles(environment, ProgramKind::kBroker);
  program.check = [&config] { return Check(config); };
  const Settings settings = ServeSettings(config);
  program.commands.push_back({"serve", "[options]", "Run the broker in the foreground.",
                              "Runs the broker in the foreground. SIGTERM drains it, SIGHUP reads "
                              "the\nconfiguration again.",
                              settings});
  for (Command& command : AdminCommands(config.admin, settings)) {
    program.commands.push_back(std::move(command));
  }
  CULVERT_ASSIGN_OR_RETURN(Parsed<BrokerConfig> parsed,
                           ReadInto(program, config, args, environment));
  if (parsed.config) {
    CULVERT_RETURN_IF_ERROR(CheckListen(*parsed.config));
    CULVERT_RETURN_IF_ERROR(CheckDataPort(*parsed.config));
  }
  return parsed;
}

}  // namespace culvert::config
