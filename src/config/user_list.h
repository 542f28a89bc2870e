// Who may use an agent, by the agent's own word, on top of the broker's policy.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::config {

// Names bind nobody but the broker's authority, which can give any name; keys bind it too.
class UserList {
 public:
  // "NAME" (a user of the agent's project), "agent:NAME" (another agent of it),
  // "service-account:NAME", or "key:KEYID".
  // INVALID_ARGUMENT for anything else.
  static absl::StatusOr<std::string> ParseEntry(std::string_view text);

  UserList() = default;
  explicit UserList(std::set<std::string> entries) : entries_(std::move(entries)) {}

  // Whether whoever showed the certificate with this SPIFFE id and key may come. An empty list lets
  // everyone in whom the broker does.
  bool Allows(std::string_view spiffe_id, const std::string& key) const;

  friend bool operator==(const UserList&, const UserList&) = default;

 private:
  std::set<std::string> entries_;
};

}  // namespace culvert::config
