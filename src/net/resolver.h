// Name resolution off the loop thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace culvert::net {

// One getaddrinfo under way. Confined to the loop; destroy = cancel. At most 32 addresses, each
// once, in the order of the system (RFC 6724). The callback runs once, never inside the
// constructor, and may destroy the Resolution.
class Resolution {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::vector<Address>>) &&>;
  // `host` is a name or a literal address without brackets (which asks nobody). NOT_FOUND when the
  // name does not exist, UNAVAILABLE when the resolver could not be reached: "resolve db: no such
  // host".
  Resolution(EventLoop& loop, const std::string& host, uint16_t port, Callback callback);
  ~Resolution();
  Resolution(const Resolution&) = delete;
  Resolution& operator=(const Resolution&) = delete;

 private:
  struct Request;
  EventLoop& loop_;
  Request* request_ ABSL_GUARDED_BY(loop_);  // nullptr once the callback has run; frees itself
};

}  // namespace culvert::net
