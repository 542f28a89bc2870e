// Lets administrators of this machine talk to the running broker: a unix socket in its state
// directory.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "broker/admin.h"
#include "broker/log_throttle.h"
#include "net/event_loop.h"
#include "net/listener.h"

namespace culvert::broker {

// "admin.sock" in the state directory.
std::string AdminSocketPath(const std::string& state_dir);

// Confined to the control loop. A connection brings one request, a line, and takes one answer, a
// line; kTime after it came it is closed. Only `owner` and root are listened to, by the user that
// the kernel says is at the other end; others are closed and logged.
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
  // Removes the socket.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  AdminServer(net::EventLoop& loop, std::string path, Admin& admin, uid_t owner);
  void Accept(int fd);
  absl::Status Admit(int fd);
  void Remove(const Connection* connection);

  net::EventLoop& loop_;
  const std::string path_;
  Admin& admin_;
  const uid_t owner_;
  LogThrottle refusals_log_;
  std::unique_ptr<net::FdListener> listener_;
  std::unordered_map<const Connection*, std::unique_ptr<Connection>> connections_;
};

}  // namespace culvert::broker
