// Where a service is, as DNS says it: SRV records (RFC 2782).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "net/event_loop.h"

namespace culvert::net {

struct ServiceTarget {
  std::string host;  // a lower-case name
  uint16_t port = 0;
  uint16_t priority = 0;
  uint16_t weight = 0;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 of the comparison for a pointer
  friend auto operator<=>(const ServiceTarget&, const ServiceTarget&) = default;
};

struct ServiceRecords {
  static constexpr size_t kMaxTargets = 64;  // of an answer; what is beyond them is not looked at
  // As they came; empty: the domain says that it does not offer the service.
  std::vector<ServiceTarget> targets;
  Duration ttl{0};  // the shortest
};

// The records of a DNS message; those of another type and those that make no sense are left out.
// NOT_FOUND without any, INVALID_ARGUMENT for what is no DNS message.
absl::StatusOr<ServiceRecords> ParseServiceRecords(absl::Span<const uint8_t> message);

// The order in which to try them: by priority, and in one priority as the weights have it.
// `pick(n)` is a random number from 0 to n, both included.
std::vector<ServiceTarget> InOrderToTry(std::vector<ServiceTarget> targets,
                                        const std::function<uint32_t(uint32_t)>& pick);

// One question to the name servers of /etc/resolv.conf, which is read each time. Confined to the
// loop; destroy = cancel. It has a thread of its own: a name server that does not answer holds up
// neither libuv's few threads nor the end of the program.
class ServiceLookup {
 public:
  // NOT_FOUND: there is no record. UNAVAILABLE: no name server answered, in about 10 s.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<ServiceRecords>) &&>;

  // `name` is "_culvert._tcp.example.org". The callback runs once, never inside the constructor,
  // and may destroy this.
  ServiceLookup(EventLoop& loop, const std::string& name, Callback callback);
  ~ServiceLookup();
  ServiceLookup(const ServiceLookup&) = delete;
  ServiceLookup& operator=(const ServiceLookup&) = delete;

 private:
  struct Shared;
  void HandleAnswer(absl::StatusOr<ServiceRecords> answer);

  EventLoop& loop_;
  Callback callback_;
  const std::shared_ptr<Shared> shared_;  // with the thread
};

}  // namespace culvert::net
