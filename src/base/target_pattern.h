// Which targets of `tcp` a rule of the broker's policy is about.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/ip_prefix.h"
#include "base/target.h"

namespace culvert {

// `HOST:PORT`. HOST is `*`, an IP address, a prefix such as 10.0.0.0/8, a DNS name or a glob of DNS
// names such as *.lan; IPv6 and its prefixes are in brackets. PORT is a number, a range such as
// 8000-8100, or `*`. What is asked for as a name is matched by name only, never by what it resolves
// to; addresses are matched by address only.
class TargetPattern {
 public:
  // Strict, at most kMaxTargetBytes. Messages say what was expected; the caller adds the text.
  static absl::StatusOr<TargetPattern> Parse(std::string_view text);

  bool Matches(const Target& target) const;

  // The text it was made of: a pattern has one spelling.
  const std::string& ToString() const { return text_; }
  friend bool operator==(const TargetPattern& a, const TargetPattern& b) {
    return a.text_ == b.text_;
  }

 private:
  enum class HostKind { kAny, kPrefix, kName };
  absl::Status SetHost(std::string_view host, bool bracketed);
  absl::Status SetPrefix(const Target& base, std::string_view length);
  absl::Status SetPorts(std::string_view ports);

  std::string text_;
  HostKind kind_ = HostKind::kAny;
  IpPrefix prefix_;   // kPrefix
  std::string glob_;  // kName
  uint16_t first_port_ = 0;
  uint16_t last_port_ = 0;
};

}  // namespace culvert
