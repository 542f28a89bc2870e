// Dials a list of addresses by happy eyeballs (RFC 8305).
#pragma once

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/address.h"
#include "net/tcp_stream.h"

namespace culvert::net {

// One dial under way. Confined to the loop; destroy = cancel, every attempt is closed. The callback
// runs once, never inside the constructor, and may destroy the Dial.
//
// Addresses are tried with families interleaved (IPv6 first when the list starts with it), the next
// one 250 ms after the last or at once when it failed; the first to connect wins and the others are
// closed. An address that is_undialable() fails without being tried.
//
// Errors: when all have failed, that of the first address: UNAVAILABLE "dial 127.0.0.1:22:
// connection refused", INVALID_ARGUMENT for one that is undialable or an empty list;
// DEADLINE_EXCEEDED "dial 127.0.0.1:22: timed out" when `limit` is over. See DialErrorOf for the
// kinds that the tunnel tells apart.
class Dial {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::unique_ptr<TcpStream>>) &&>;
  Dial(EventLoop& loop, const std::vector<Address>& addresses, Duration limit, Callback callback);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

 private:
  struct Attempt;
  class State;
  std::unique_ptr<State> state_;
};

// What a failed dial was, from the errno that Dial keeps in the Status as a payload.
enum class DialError { kRefused, kUnreachable, kTimeout, kOther };
DialError DialErrorOf(const absl::Status& status);

}  // namespace culvert::net
