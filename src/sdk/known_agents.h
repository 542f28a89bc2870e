// Which key each agent had when it was first seen: what ssh's known_hosts is for hosts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace culvert {

// The file `known_agents` in the state directory: lines of "PROJECT/AGENT KEYID". Other processes
// may change it at any time: each call reads it. Blocks for as long as that takes.
class KnownAgents {
 public:
  struct Entry {
    std::string agent;  // "PROJECT/AGENT"
    std::string key;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  enum class Verdict { kKnown, kRecorded };

  explicit KnownAgents(std::string state_dir);

  // Whether `key` is the one that `agent` is known by; an agent that is not known is recorded with
  // it. PERMISSION_DENIED, with what to do, if it is known by another key.
  absl::StatusOr<Verdict> Check(const std::string& agent, const std::string& key) const;

  // The key that `agent` is known by, if it is.
  absl::StatusOr<std::optional<std::string>> Find(const std::string& agent) const;
  // In the order of the names.
  absl::StatusOr<std::vector<Entry>> List() const;
  // PERMISSION_DENIED if it is known by another key; INVALID_ARGUMENT for what is no key id, or no
  // name.
  absl::Status Add(const Entry& entry) const;
  // In the place of what is known. INVALID_ARGUMENT as of Add.
  absl::Status Replace(const Entry& entry) const;
  // `to` in the place of `from`. PERMISSION_DENIED if it is known by neither.
  absl::Status Succeed(const std::string& agent, const std::string& from,
                       const std::string& to) const;
  // NOT_FOUND if it is not known.
  absl::Status Remove(const std::string& agent) const;

 private:
  using Keys = std::map<std::string, std::string>;
  absl::StatusOr<Keys> Read() const;
  absl::Status Write(const Keys& keys) const;
  // Reads, changes and writes while no other process does.
  template <typename Change>
  absl::Status Update(Change change) const;

  const std::string state_dir_;
};

}  // namespace culvert
