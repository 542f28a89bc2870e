// A rule of --allow: no crash, what is accepted survives ToString, and no rule opens what must
// never be dialled.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/allow_rule.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::config::AllowRule;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<AllowRule> rule = AllowRule::Parse(text);
  if (!rule.ok()) return 0;
  CULVERT_CHECK(*AllowRule::Parse(rule->ToString()) == *rule);

  culvert::config::AllowList list;
  list.Add(*rule);
  for (const char* ip : {"0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"}) {
    const auto address = culvert::net::Address::FromLiteral(ip, 22);
    CULVERT_CHECK(!list.Allows(*culvert::ParseTarget("localhost:22"), *address));
  }
  // A rule that is an address or a name allows to ask for exactly that.
  if (const auto itself = culvert::ParseTarget(rule->ToString()); itself.ok()) {
    const auto literal = culvert::net::Address::FromLiteral(itself->host, itself->port);
    const bool undialable = literal.ok() && literal->is_undialable();
    CULVERT_CHECK(list.MayAskFor(*itself) == !undialable);
  }
  return 0;
}
