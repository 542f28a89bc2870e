#include "config/forwarder_commands.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/enrolment.h"
#include "config/names.h"
#include "config/projects_commands.h"

namespace culvert::config {
namespace {

using ForwarderCommand = ForwarderConfig::Command;

// The settings of a command that asks the broker something and ends.
Settings QuerySettings(const Settings& shared) {
  return KeepFlags(shared, {"broker", "config", "state-dir", "log-level", "quiet", "verbose"});
}

Command EnrollCommand(ForwarderConfig& config, const Settings& shared,
                      const Environment& environment) {
  Command command{"enroll", "--broker HOST:PORT --token-file FILE [options]",
                  "Trade a token for your identity.",
                  "Makes a key, has the broker that the token names certify it, and "
                  "keeps both in\nthe state directory. Prints the name and the key's id.",
                  QuerySettings(shared)};
  command.settings.push_back(OnlyInFile(SwitchSetting({"json"}, config.json)));
  for (Setting& setting : EnrolSettings(config.enrol)) {
    command.settings.push_back(std::move(setting));
  }
  command.finish = [&config, &environment]() -> absl::Status {
    config.command = ForwarderCommand::kEnroll;
    if (config.brokers.empty()) {
      return absl::InvalidArgumentError("no broker: give --broker HOST:PORT or CULVERT_BROKER");
    }
    return FinishEnrol(environment, config.enrol);
  };
  return command;
}

Command LoginCommand(ForwarderConfig& config, const Settings& shared) {
  Command command{"login", "--broker HOST:PORT --jwt-file FILE [options]",
                  "Get an identity for 12 hours for a JSON Web Token.",
                  "Has the broker certify a key for whom a JSON Web Token names: a service "
                  "account,\nor a user of an issuer that the broker believes. Prints the "
                  "name, until when, and\nthe key's id. Log in again before it ends.",
                  QuerySettings(shared)};
  command.settings.push_back(OnlyInFile(SwitchSetting({"json"}, config.json)));
  for (Setting& setting : LoginSettings(config.login)) {
    command.settings.push_back(std::move(setting));
  }
  command.finish = [&config]() -> absl::Status {
    config.command = ForwarderCommand::kLogin;
    CULVERT_RETURN_IF_ERROR(FinishLogin(config.login));
    CULVERT_RETURN_IF_ERROR(FillBrokers(config.common.state_dir, false, config.brokers));
    if (!config.brokers.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("no broker: give --broker HOST:PORT or CULVERT_BROKER");
  };
  return command;
}

Command QueryCommand(ForwarderConfig& config, const Settings& shared, ForwarderCommand which,
                     Command command) {
  command.settings = QuerySettings(shared);
  command.settings.push_back(
      SwitchSetting({"json", '\0', "", "Print results as JSON."}, config.json));
  command.finish = [&config, which] {
    config.command = which;
    return FinishBrokers(config);
  };
  return command;
}

Command RenewCommand(ForwarderConfig& config, const Settings& shared) {
  Command command{
      "renew", "[options]", "Renew your certificate now.",
      "Has the broker issue a new certificate at once, for a new key with --rotate-key.\n"
      "Prints the name and the key's id. A forwarder that runs takes it up on SIGHUP.",
      KeepFlags(shared,
                {"broker", "config", "state-dir", "log-level", "quiet", "verbose", "rotate-key"})};
  command.settings.push_back(OnlyInFile(SwitchSetting({"json"}, config.json)));
  command.finish = [&config] {
    config.command = ForwarderCommand::kRenew;
    return FinishBrokers(config);
  };
  return command;
}

Command WhoAmICommand(ForwarderConfig& config, const Settings& shared) {
  return QueryCommand(config, shared, ForwarderCommand::kWhoAmI,
                      {"whoami",
                       "[options]",
                       "Print your identity, and whether the broker knows it.",
                       "Prints the identity that the state directory holds, and what the broker "
                       "says of it.\nExits with 1 if the broker does not answer or does not accept "
                       "it.",
                       {}});
}

Command AgentsCommand(ForwarderConfig& config, const Settings& shared) {
  return QueryCommand(config, shared, ForwarderCommand::kAgents,
                      {"agents",
                       "[options]",
                       "List the agents that you may reach and are online.",
                       "Lists the agents of your project that are online and that the policy lets "
                       "you\nreach something at.",
                       {}});
}

absl::Status SetKnownAgents(const std::vector<std::string>& words, KnownAgentsCommand& command) {
  using Action = KnownAgentsCommand::Action;
  const std::string action = words.empty() ? "" : words[0];
  if (action == "list" && words.size() == 1) {
    command.action = Action::kList;
  } else if (action == "add" && words.size() == 3) {
    const absl::Status name = ParseAgentName(words[1]).status();
    if (!name.ok()) return Annotate(name, fmt::format("AGENT \"{}\"", Printable(words[1])));
    command = {Action::kAdd, words[1], words[2]};
  } else if (action == "remove" && words.size() == 2) {
    command = {Action::kRemove, words[1], ""};
  } else {
    return absl::InvalidArgumentError("expected list, add AGENT KEYID or remove AGENT");
  }
  return absl::OkStatus();
}

Command KnownAgentsCommandOf(ForwarderConfig& config, const Settings& shared) {
  Command command = QueryCommand(
      config, shared, ForwarderCommand::kKnownAgents,
      {"known-agents",
       "[options] list | add AGENT KEYID | remove AGENT",
       "Which key each agent is known by.",
       "Lists the keys that agents are known by, as recorded when each was first seen;\nadds one "
       "beforehand, or removes one, so that the next key that is seen is\nrecorded.",
       {}});
  command.settings = KeepFlags(std::move(command.settings),
                               {"config", "state-dir", "log-level", "quiet", "verbose", "json"});
  command.set_positional = [&config](const std::vector<std::string>& words) {
    return SetKnownAgents(words, config.known_agents);
  };
  return command;
}

Command RendezvousCommand(ForwarderConfig& config, const Settings& shared) {
  Command command = QueryCommand(
      config, shared, ForwarderCommand::kRendezvous,
      {"rendezvous",
       "[options]",
       "Get two tokens, by which two programs meet at the broker.",
       "Prints two lines, one for each program: role, token, address and seconds. Each\n"
       "program connects to the address within that time, sends the token as 32 bytes\n"
       "(it is printed in hex: xxd -r -p), and then whatever it likes: the broker joins\n"
       "the two connections and looks at nothing. Nothing encrypts them but the\n"
       "programs themselves.",
       {}});
  command.settings = KeepFlags(shared, {"broker", "config", "state-dir", "log-level", "quiet",
                                        "verbose", "region", "service-domain"});
  command.settings.push_back(
      SwitchSetting({"json", '\0', "", "Print results as JSON."}, config.json));
  Setting with = ValueSetting({"with", '\0', "AGENT",
                               "The agent whose machine is one end: the policy must let you use\n"
                               "      its service rendezvous, for as long as the two are joined.",
                               "", FileForm::kNone},
                              config.with_agent, ParseAgentName);
  with.variable.clear();
  with.key.clear();
  command.settings.push_back(std::move(with));
  return command;
}

Command StatusCommand(ForwarderConfig& config, const Settings& shared) {
  Command command{"status", "[options]", "Show what your running forwarders do.",
                  "Shows each culvert forward and culvert connect that runs with this state\n"
                  "directory, and their connections. Exits with 1 if none runs.",
                  KeepFlags(shared, {"config", "state-dir", "log-level", "quiet", "verbose"})};
  command.settings.push_back(
      SwitchSetting({"json", '\0', "", "Print results as JSON."}, config.json));
  command.finish = [&config] {
    config.command = ForwarderCommand::kStatus;
    return absl::OkStatus();
  };
  return command;
}

}  // namespace

std::vector<Command> QueryCommands(ForwarderConfig& config, const Settings& shared,
                                   const Environment& environment) {
  std::vector<Command> commands = {EnrollCommand(config, shared, environment),
                                   RenewCommand(config, shared),
                                   LoginCommand(config, shared),
                                   WhoAmICommand(config, shared),
                                   AgentsCommand(config, shared),
                                   KnownAgentsCommandOf(config, shared),
                                   RendezvousCommand(config, shared),
                                   StatusCommand(config, shared)};
  for (Command& command : ProjectCommands(config, shared)) commands.push_back(std::move(command));
  return commands;
}

}  // namespace culvert::config
