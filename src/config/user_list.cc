#include "config/user_list.h"

#include "base/resource_id.h"
#include "crypto/digest.h"
#include "crypto/spiffe_id.h"

namespace culvert::config {
namespace {

constexpr std::string_view kKey = "key:";
constexpr std::string_view kAgent = "agent:";
constexpr std::string_view kServiceAccount = "service-account:";

bool HasPrefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string EntryOf(const crypto::SpiffeId& id) {
  switch (id.role) {
    case crypto::SpiffeId::Role::kAgent:
      return std::string(kAgent) + id.name;
    case crypto::SpiffeId::Role::kUser:
      return id.name;
    case crypto::SpiffeId::Role::kServiceAccount:
      return std::string(kServiceAccount) + id.name;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> UserList::ParseEntry(std::string_view text) {
  std::string_view name = text;
  for (const std::string_view prefix : {kAgent, kServiceAccount}) {
    if (HasPrefix(text, prefix)) name.remove_prefix(prefix.size());
  }
  const bool good =
      HasPrefix(text, kKey) ? crypto::IsKeyId(text.substr(kKey.size())) : IsResourceId(name);
  if (good) return std::string(text);
  return absl::InvalidArgumentError(
      "expected the name of a user, agent:NAME, service-account:NAME, or key: and the 52 "
      "characters of a key id");
}

bool UserList::Allows(std::string_view spiffe_id, const std::string& key) const {
  if (entries_.empty()) return true;
  if (entries_.count(std::string(kKey) + key) > 0) return true;
  const absl::StatusOr<crypto::SpiffeId> id = crypto::SpiffeId::Parse(spiffe_id);
  if (!id.ok()) return false;
  return entries_.count(EntryOf(*id)) > 0;
}

}  // namespace culvert::config
