// Name resolution off the loop thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace culvert::net {

// One getaddrinfo under way. Confined to the loop; destroy = cancel. At most 32 addresses.
class Resolution {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::vector<Address>>) &&>;
  // `host` is a name or a literal address without brackets. NOT_FOUND when the name does not exist,
  // UNAVAILABLE when the resolver could not be reached. The callback runs once, never inside the
  // constructor.
  Resolution(EventLoop& loop, const std::string& host, uint16_t port, Callback callback);
  ~Resolution();
  Resolution(const Resolution&) = delete;
  Resolution& operator=(const Resolution&) = delete;

 private:
  struct Request;
  Request* request_;
};

}  // namespace culvert::net
