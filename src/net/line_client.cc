#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/status.h"
#include "net/line_server.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

absl::Status SendAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return ErrnoStatus(errno, "write");
    text.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> AskLine(int fd, std::string line, size_t max_bytes) {
  line += '\n';
  CULVERT_RETURN_IF_ERROR(SendAll(fd, line));
  std::string answer;
  std::array<char, 65536> buffer{};
  while (answer.size() <= max_bytes) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read");
    if (got == 0) break;
    answer.append(buffer.data(), static_cast<size_t>(got));
    if (answer.back() == '\n') return answer;
  }
  return "";
}

}  // namespace culvert::net
