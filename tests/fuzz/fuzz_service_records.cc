// Answers of name servers arrive from the network: no crash, and every target can be dialled by its
// name.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/target.h"
#include "net/service_lookup.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto records = culvert::net::ParseServiceRecords({data, size});
  if (!records.ok()) return 0;
  CULVERT_CHECK(records->targets.size() <= culvert::net::ServiceRecords::kMaxTargets);
  uint32_t seed = 0;
  const auto ordered = culvert::net::InOrderToTry(records->targets, [&seed](uint32_t most) {
    seed = seed * 1'664'525 + 1'013'904'223;
    return most == 0 ? 0 : seed % (most + 1);
  });
  CULVERT_CHECK(ordered.size() == records->targets.size());
  for (const culvert::net::ServiceTarget& target : ordered) {
    CULVERT_CHECK(culvert::ParseTarget(target.host + ":" + std::to_string(target.port)).ok());
  }
  return 0;
}
