// Who is at the other end of a stream, as its TLS session or a JSON Web Token showed.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/wall_time.h"
#include "crypto/spiffe_id.h"

namespace culvert::broker {

// A JSON Web Token that stood for who it names: whoever has it is believed.
struct BearerToken {
  std::string issuer;
  std::string key_id;  // what it was signed with
  WallTime expires;
  friend bool operator==(const BearerToken&, const BearerToken&) = default;
};

struct Principal {
  crypto::SpiffeId id;
  std::string key;  // the thumbprint of the leaf's key (crypto::PublicKey::id); empty with a token
  std::optional<BearerToken> token = std::nullopt;

  bool is_agent() const { return id.role == crypto::SpiffeId::Role::kAgent; }
  // As messages name it: "projects/default".
  std::string project() const { return "projects/" + id.project; }
  // For logs: "agent edge-1".
  std::string ToString() const { return fmt::format("{} {}", crypto::RoleName(id.role), id.name); }

  friend bool operator==(const Principal&, const Principal&) = default;
};

}  // namespace culvert::broker
