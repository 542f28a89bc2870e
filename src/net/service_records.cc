// What an answer says, and in which order it is to be followed.
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/target.h"
#include "net/service_lookup.h"

namespace culvert::net {
namespace {

constexpr size_t kTargetOffset = 6;  // behind priority, weight and port

// "." is an empty name here. Nothing for what is no record of a service.
std::optional<ServiceTarget> ParseRecord(const ns_msg& message, const ns_rr& record) {
  if (ns_rr_type(record) != ns_t_srv || ns_rr_class(record) != ns_c_in) return std::nullopt;
  const unsigned char* const data = ns_rr_rdata(record);
  if (ns_rr_rdlen(record) <= kTargetOffset) return std::nullopt;
  std::array<char, NS_MAXDNAME> name{};
  const int used = dn_expand(ns_msg_base(message), ns_msg_end(message), data + kTargetOffset,
                             name.data(), static_cast<int>(name.size()));
  if (used < 0) return std::nullopt;
  ServiceTarget target;
  target.priority = static_cast<uint16_t>(ns_get16(data));
  target.weight = static_cast<uint16_t>(ns_get16(data + 2));
  target.port = static_cast<uint16_t>(ns_get16(data + 4));
  target.host = absl::AsciiStrToLower(name.data());
  return target;
}

bool CanBeDialled(const ServiceTarget& target) {
  const absl::StatusOr<Target> host = ParseHost(target.host);
  return target.port != 0 && host.ok() && host->kind == Target::HostKind::kName;
}

// The running sum of RFC 2782: each is next as often as its weight has it, those of weight 0
// seldom.
void MoveNextToFront(std::vector<ServiceTarget>::iterator begin,
                     std::vector<ServiceTarget>::iterator end,
                     const std::function<uint32_t(uint32_t)>& pick) {
  const uint32_t sum = std::accumulate(
      begin, end, uint32_t{0},
      [](uint32_t so_far, const ServiceTarget& one) { return so_far + one.weight; });
  const uint32_t picked = std::min(pick(sum), sum);
  uint32_t running = 0;
  const auto next = std::find_if(begin, end, [&](const ServiceTarget& one) {
    running += one.weight;
    return running >= picked;
  });
  std::rotate(begin, next, next + 1);
}

}  // namespace

absl::StatusOr<ServiceRecords> ParseServiceRecords(absl::Span<const uint8_t> message) {
  ns_msg parsed{};
  if (ns_initparse(message.data(), static_cast<int>(message.size()), &parsed) != 0) {
    return absl::InvalidArgumentError("the answer is no DNS message");
  }
  ServiceRecords records;
  std::optional<uint32_t> ttl;
  bool offered = true;
  const int count = ns_msg_count(parsed, ns_s_an);
  for (int i = 0; i < count && records.targets.size() < ServiceRecords::kMaxTargets; ++i) {
    ns_rr record{};
    if (ns_parserr(&parsed, ns_s_an, i, &record) != 0) break;
    std::optional<ServiceTarget> target = ParseRecord(parsed, record);
    if (!target) continue;
    const bool is_root = target->host.empty();
    if (!is_root && !CanBeDialled(*target)) continue;
    ttl = std::min(ttl.value_or(ns_rr_ttl(record)), ns_rr_ttl(record));
    if (is_root) {
      offered = false;
    } else {
      records.targets.push_back(*std::move(target));
    }
  }
  if (records.targets.empty() && offered) return absl::NotFoundError("no SRV record");
  records.ttl = std::chrono::seconds(*ttl);
  return records;
}

std::vector<ServiceTarget> InOrderToTry(std::vector<ServiceTarget> targets,
                                        const std::function<uint32_t(uint32_t)>& pick) {
  // Those of weight 0 first, as the RFC wants them before the running sum.
  std::sort(targets.begin(), targets.end(), [](const ServiceTarget& a, const ServiceTarget& b) {
    return std::pair(a.priority, a.weight != 0) < std::pair(b.priority, b.weight != 0);
  });
  for (auto next = targets.begin(); next != targets.end(); ++next) {
    const auto end = std::find_if(next, targets.end(), [&](const ServiceTarget& one) {
      return one.priority != next->priority;
    });
    MoveNextToFront(next, end, pick);
  }
  return targets;
}

}  // namespace culvert::net
