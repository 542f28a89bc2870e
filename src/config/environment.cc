#include "config/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

extern char** environ;  // POSIX: the program declares it

namespace culvert::config {
namespace {

// $NAME if it is absolute (the XDG specification ignores others), else `fallback` under the home.
std::string UserDirectory(const Environment& environment, std::string_view name,
                          std::string_view fallback) {
  const std::optional<std::string> value = environment.Get(name);
  if (value && value->front() == '/') return *value;
  if (environment.home.empty()) return "";
  return environment.home + std::string(fallback);
}

std::string StateName(ProgramKind program) {
  switch (program) {
    case ProgramKind::kBroker:
      return "culvert-broker";
    case ProgramKind::kAgent:
      return "culvert-agent";
    case ProgramKind::kForwarder:
      break;
  }
  return "culvert";
}

std::string FileName(ProgramKind program) {
  switch (program) {
    case ProgramKind::kBroker:
      return "/culvert/broker.toml";
    case ProgramKind::kAgent:
      return "/culvert/agent.toml";
    case ProgramKind::kForwarder:
      break;
  }
  return "/culvert/forward.toml";
}

void ReadAccount(Environment& environment) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0) return;
  if (found == nullptr) return;
  environment.user = found->pw_name;
  environment.home = found->pw_dir;
}

}  // namespace

std::optional<std::string> Environment::Get(std::string_view name) const {
  const auto found = variables.find(name);
  if (found == variables.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Environment CurrentEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  environment.root = geteuid() == 0;
  ReadAccount(environment);
  if (const auto home = environment.Get("HOME")) environment.home = *home;
  while (!environment.home.empty() && environment.home.back() == '/') environment.home.pop_back();
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) == 0) environment.host = host.data();
  return environment;
}

std::string DefaultStateDir(const Environment& environment, ProgramKind program) {
  if (const auto directory = environment.Get("STATE_DIRECTORY")) {
    return directory->substr(0, directory->find(':'));  // systemd lists several with colons
  }
  const std::string name = StateName(program);
  const std::string base = UserDirectory(environment, "XDG_STATE_HOME", "/.local/state");
  const bool own = program == ProgramKind::kForwarder || !environment.root;
  return (own && !base.empty() ? base : "/var/lib") + "/" + name;
}

std::vector<std::string> DefaultConfigFiles(const Environment& environment, ProgramKind program) {
  const std::string base = UserDirectory(environment, "XDG_CONFIG_HOME", "/.config");
  const bool forwarder = program == ProgramKind::kForwarder;
  std::vector<std::string> files;
  if ((forwarder || !environment.root) && !base.empty()) files.push_back(base + FileName(program));
  if (forwarder || environment.root) files.push_back(environment.etc + FileName(program));
  return files;
}

}  // namespace culvert::config
