#include "config/user_list.h"

#include "base/resource_id.h"
#include "crypto/digest.h"
#include "crypto/spiffe_id.h"

namespace culvert::config {
namespace {

constexpr std::string_view kKey = "key:";
constexpr std::string_view kAgent = "agent:";

bool HasPrefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

absl::StatusOr<std::string> UserList::ParseEntry(std::string_view text) {
  const bool good = HasPrefix(text, kKey)     ? crypto::IsKeyId(text.substr(kKey.size()))
                    : HasPrefix(text, kAgent) ? IsResourceId(text.substr(kAgent.size()))
                                              : IsResourceId(text);
  if (good) return std::string(text);
  return absl::InvalidArgumentError(
      "expected the name of a user, agent:NAME, or key: and the 52 characters of a key id");
}

bool UserList::Allows(std::string_view spiffe_id, const std::string& key) const {
  if (entries_.empty()) return true;
  if (entries_.count(std::string(kKey) + key) > 0) return true;
  const absl::StatusOr<crypto::SpiffeId> id = crypto::SpiffeId::Parse(spiffe_id);
  if (!id.ok()) return false;
  const bool agent = id->role == crypto::SpiffeId::Role::kAgent;
  return entries_.count(agent ? std::string(kAgent) + id->name : id->name) > 0;
}

}  // namespace culvert::config
