// Lets administrators of this machine talk to the running broker: a unix socket in its state
// directory.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "broker/admin.h"
#include "broker/log_throttle.h"
#include "net/event_loop.h"
#include "net/line_server.h"

namespace culvert::broker {

// "admin.sock" in the state directory.
std::string AdminSocketPath(const std::string& state_dir);

// Confined to the control loop. A net::LineServer for `owner` and root; whom it refuses is logged.
class AdminServer {
 public:
  static constexpr size_t kMaxRequestBytes = size_t{2} * 1024 * 1024;  // a JWK set, and authorities
  static constexpr size_t kMaxAnswerBytes = size_t{16} * 1024 * 1024;
  static constexpr size_t kMaxConnections = 16;
  static constexpr Duration kTime = std::chrono::seconds(5);

  // Takes the place of a socket that an earlier process left there: the caller has the store's
  // lock. `admin` outlives it.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Listen(net::EventLoop& loop,
                                                             const std::string& path, Admin& admin,
                                                             uid_t owner);

  size_t connections() const { return lines_->connections(); }

 private:
  AdminServer(net::EventLoop& loop, Admin& admin) : loop_(loop), admin_(admin) {}
  std::string Answer(const std::string& line, uid_t user);

  net::EventLoop& loop_;
  Admin& admin_;
  LogThrottle refusals_log_;
  std::unique_ptr<net::LineServer> lines_;
};

}  // namespace culvert::broker
