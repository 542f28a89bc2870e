// Who is at the other end of a stream, as its TLS session showed.
#pragma once

#include <fmt/format.h>

#include <string>

#include "crypto/spiffe_id.h"

namespace culvert::broker {

struct Principal {
  crypto::SpiffeId id;
  std::string key;  // the thumbprint of the leaf's key (crypto::PublicKey::id)

  bool is_agent() const { return id.role == crypto::SpiffeId::Role::kAgent; }
  // As messages name it: "projects/default".
  std::string project() const { return "projects/" + id.project; }
  // For logs: "agent edge-1".
  std::string ToString() const { return fmt::format("{} {}", crypto::RoleName(id.role), id.name); }

  friend bool operator==(const Principal&, const Principal&) = default;
};

}  // namespace culvert::broker
