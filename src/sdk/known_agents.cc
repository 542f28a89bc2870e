#include "sdk/known_agents.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/private_file.h"

namespace culvert {
namespace {

constexpr size_t kMostFileBytes = size_t{8} * 1024 * 1024;

// Held while the file is changed; the kernel lets go of it with the process.
class FileLock {
 public:
  explicit FileLock(const std::string& path)
      : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    while (fd_ >= 0 && flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~FileLock() {
    if (fd_ >= 0) close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool ok() const { return fd_ >= 0; }

 private:
  const int fd_;
};

// What would be read as another line, or as another project's agent.
absl::Status CheckName(const std::string& agent) {
  const size_t slash = agent.find('/');
  const bool good = slash != std::string::npos && slash > 0 && slash + 1 < agent.size() &&
                    agent.find('/', slash + 1) == std::string::npos &&
                    agent.find_first_of(" \n") == std::string::npos;
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("\"{}\" is no name of an agent: expected PROJECT/AGENT", Printable(agent)));
}

absl::Status CheckEntry(const KnownAgents::Entry& entry) {
  CULVERT_RETURN_IF_ERROR(CheckName(entry.agent));
  if (crypto::IsKeyId(entry.key)) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "\"{}\" is no key id: expected 52 letters and digits, as 'culvert-agent enroll' prints",
      Printable(entry.key)));
}

std::string NameOf(const std::string& agent) { return agent.substr(agent.find('/') + 1); }

absl::Status KeyHasChanged(const std::string& agent, const std::string& known,
                           const std::string& key) {
  const std::string name = NameOf(agent);
  return absl::PermissionDeniedError(fmt::format(
      "THE KEY OF AGENT {0} HAS CHANGED: it is known by {1} and now has {2}. Somebody may be in "
      "between, or the agent was enrolled anew. If you know that it was: culvert known-agents "
      "remove {0}",
      name, known, key));
}

}  // namespace

KnownAgents::KnownAgents(std::string state_dir) : state_dir_(std::move(state_dir)) {}

absl::StatusOr<KnownAgents::Keys> KnownAgents::Read() const {
  const std::string file = state_dir_ + "/known_agents";
  const absl::StatusOr<std::string> text = crypto::ReadPrivateFile(file, kMostFileBytes);
  Keys keys;
  if (absl::IsNotFound(text.status())) return keys;
  if (!text.ok()) return text.status();
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    const size_t space = line.find(' ');
    if (space == std::string::npos || !crypto::IsKeyId(std::string_view(line).substr(space + 1))) {
      return absl::FailedPreconditionError(fmt::format("{}: \"{}\" is not \"PROJECT/AGENT KEYID\"",
                                                       Printable(file), Printable(line)));
    }
    keys[line.substr(0, space)] = line.substr(space + 1);
  }
  return keys;
}

absl::Status KnownAgents::Write(const Keys& keys) const {
  std::string text;
  for (const auto& [agent, key] : keys) text += fmt::format("{} {}\n", agent, key);
  return crypto::WritePrivateFile(state_dir_ + "/known_agents", text);
}

template <typename Change>
absl::Status KnownAgents::Update(Change change) const {
  const FileLock lock(state_dir_ + "/known_agents.lock");
  if (!lock.ok()) {
    return absl::FailedPreconditionError(fmt::format(
        "{}/known_agents.lock: {}", Printable(state_dir_), std::generic_category().message(errno)));
  }
  CULVERT_ASSIGN_OR_RETURN(Keys keys, Read());
  CULVERT_RETURN_IF_ERROR(change(keys));
  return Write(keys);
}

absl::StatusOr<KnownAgents::Verdict> KnownAgents::Check(const std::string& agent,
                                                        const std::string& key) const {
  CULVERT_ASSIGN_OR_RETURN(const Keys keys, Read());
  if (const auto known = keys.find(agent); known != keys.end()) {
    if (known->second == key) return Verdict::kKnown;
    return KeyHasChanged(agent, known->second, key);
  }
  CULVERT_RETURN_IF_ERROR(Add({agent, key}));
  return Verdict::kRecorded;
}

absl::StatusOr<std::optional<std::string>> KnownAgents::Find(const std::string& agent) const {
  CULVERT_ASSIGN_OR_RETURN(const Keys keys, Read());
  const auto known = keys.find(agent);
  if (known == keys.end()) return std::nullopt;
  return std::optional<std::string>(known->second);
}

absl::Status KnownAgents::Succeed(const std::string& agent, const std::string& from,
                                  const std::string& to) const {
  return Update([&](Keys& keys) -> absl::Status {
    const auto known = keys.find(agent);
    if (known == keys.end()) {
      return absl::PermissionDeniedError(fmt::format("agent {} is not known", NameOf(agent)));
    }
    if (known->second != from && known->second != to) {
      return KeyHasChanged(agent, known->second, to);
    }
    known->second = to;
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<KnownAgents::Entry>> KnownAgents::List() const {
  CULVERT_ASSIGN_OR_RETURN(const Keys keys, Read());
  std::vector<Entry> entries;
  for (const auto& [agent, key] : keys) entries.push_back({agent, key});
  return entries;
}

absl::Status KnownAgents::Add(const Entry& entry) const {
  CULVERT_RETURN_IF_ERROR(CheckEntry(entry));
  return Update([&entry](Keys& keys) -> absl::Status {
    const auto [place, added] = keys.emplace(entry.agent, entry.key);
    if (added || place->second == entry.key) return absl::OkStatus();
    return KeyHasChanged(entry.agent, place->second, entry.key);
  });
}

absl::Status KnownAgents::Replace(const Entry& entry) const {
  CULVERT_RETURN_IF_ERROR(CheckEntry(entry));
  return Update([&entry](Keys& keys) {
    keys[entry.agent] = entry.key;
    return absl::OkStatus();
  });
}

absl::Status KnownAgents::Remove(const std::string& agent) const {
  return Update([&agent](Keys& keys) -> absl::Status {
    if (keys.erase(agent) > 0) return absl::OkStatus();
    return absl::NotFoundError(fmt::format("agent {} is not known", NameOf(agent)));
  });
}

}  // namespace culvert
