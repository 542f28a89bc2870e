// Answers one line with one line on a unix socket: how programs of this machine ask a running one.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "net/listener.h"

namespace culvert::net {

// Confined to the loop. A connection brings one request, a line, and takes one answer, a line;
// `time` after it came it is closed, wherever it is. Only `owner` and root are listened to, by the
// user that the kernel says is at the other end; others, and more than `max_connections` at once,
// are closed and told to `on_refused`.
class LineServer {
 public:
  struct Options {
    uid_t owner = 0;
    size_t max_request_bytes = 256;
    size_t max_connections = 16;
    Duration time = std::chrono::seconds(2);
    // What a longer request is answered with.
    std::string too_long = {};
    // The answer to `line`, both without the newline.
    std::function<std::string(std::string line, uid_t user)> answer;
    // Optional. May be called as often as others connect.
    std::function<void(const absl::Status& why)> on_refused = {};
  };

  // Takes the place of whatever socket is at `path`, and makes its own there with mode 0600.
  static absl::StatusOr<std::unique_ptr<LineServer>> Listen(EventLoop& loop,
                                                            const std::string& path,
                                                            Options options);
  // Removes the socket, unless another one has taken its place.
  ~LineServer();
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;

  size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  LineServer(EventLoop& loop, std::string path, Options options);
  void Accept(int fd);
  absl::StatusOr<uid_t> Admit(int fd) const;
  void Remove(const Connection* connection);

  EventLoop& loop_;
  const std::string path_;
  const Options options_;
  struct stat own_ {};  // the socket's file
  std::unique_ptr<FdListener> listener_;
  std::unordered_map<const Connection*, std::unique_ptr<Connection>> connections_;
};

// The other side, blocking: sends `line` on what ConnectToUnixSocket made and takes the answer,
// with its newline; empty if the server closes without one, or goes on after `max_bytes`.
absl::StatusOr<std::string> AskLine(int fd, std::string line, size_t max_bytes);

}  // namespace culvert::net
