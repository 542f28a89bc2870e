// What a broker prints when it listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/address.h"

namespace culvert::broker {

struct Announcement {
  std::vector<net::Address> control = {};
  std::optional<uint16_t> data_port = std::nullopt;
  std::vector<net::Address> web = {};
  std::string authority = {};  // its fingerprint; empty if there is none

  // A line each.
  std::string ToText() const;
  std::string ToJsonLines() const;
};

}  // namespace culvert::broker
