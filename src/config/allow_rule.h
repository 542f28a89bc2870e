// What an agent may be asked to reach. Nothing is allowed by default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/target.h"
#include "net/address.h"

namespace culvert::config {

// One rule: `host:port`, `host:*`, `CIDR:port` or `CIDR:*`, IPv6 and its prefixes in brackets.
// A name rule matches the name as it was asked for, an address rule the address that is dialled.
class AllowRule {
 public:
  // Strict. Messages say what was expected; the caller adds the text and where it stood.
  static absl::StatusOr<AllowRule> Parse(std::string_view text);

  bool is_name_rule() const { return !prefix_.has_value(); }
  bool MatchesPort(uint16_t port) const { return !port_ || *port_ == port; }
  bool MatchesName(const Target& asked) const;
  bool MatchesAddress(const net::Address& address) const;

  // Parses back to an equal rule.
  std::string ToString() const;
  friend bool operator==(const AllowRule& a, const AllowRule& b) {
    return a.ToString() == b.ToString();
  }

 private:
  std::string host_;                 // a name, an address, or a prefix, without brackets
  std::optional<net::Cidr> prefix_;  // absent in a name rule
  std::optional<uint16_t> port_;     // absent: every port
};

// The rules of one agent. A value: read on the loop, replaced as a whole on reload.
class AllowList {
 public:
  void Add(AllowRule rule) { rules_.push_back(std::move(rule)); }
  const std::vector<AllowRule>& rules() const { return rules_; }

  // Whether it is worth resolving `asked`: true if some rule could match it or what it resolves to.
  bool MayAskFor(const Target& asked) const;

  // Whether `resolved`, which `asked` led to, may be dialled. Never an undialable address, and
  // never another port than the one asked for, whatever the rules say.
  bool Allows(const Target& asked, const net::Address& resolved) const;

  friend bool operator==(const AllowList&, const AllowList&) = default;

 private:
  std::vector<AllowRule> rules_;
};

}  // namespace culvert::config
