#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "net/hand_over.h"
#include "net/hand_over_wire.h"
#include "net/unix_socket.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

constexpr time_t kReceiveSeconds = 10;
constexpr size_t kMaxEntries = 65'536;

// Whether this process runs the file at `path`.
bool IsOwnFile(const std::string& path) {
  struct stat there {
  }, own{};
  return stat(path.c_str(), &there) == 0 && stat("/proc/self/exe", &own) == 0 &&
         there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

std::string Absolute(const std::string& path) {
  if (path.substr(0, 1) == "/") return path;
  std::array<char, 4096> directory{};
  if (getcwd(directory.data(), directory.size()) == nullptr) return path;
  return fmt::format("{}/{}", directory.data(), path);
}

// How whoever started this has named it, or else where the kernel found it.
absl::StatusOr<std::string> OwnPath(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (IsOwnFile(name)) return Absolute(name);
  } else if (const char* const path = getenv("PATH"); path != nullptr) {
    for (const std::string& folder : std::vector<std::string>(absl::StrSplit(path, ':'))) {
      const std::string file = absl::StrCat(folder, "/", name);
      if (IsOwnFile(file)) return Absolute(file);
    }
  }
  std::array<char, 4096> target{};
  const ssize_t size = readlink("/proc/self/exe", target.data(), target.size());
  if (size <= 0) return ErrnoStatus(errno, "own program");
  return std::string(target.data(), static_cast<size_t>(size));
}

absl::Status CheckSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  const bool right =
      getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
  const absl::StatusOr<uid_t> user = right ? PeerUser(fd) : absl::StatusOr<uid_t>(0);
  if (right && user.ok() && *user == geteuid()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} names no socket of a process that hands over", hand_over::kVariable));
}

// The descriptors that came with a message.
std::vector<UniqueFd> SocketsOf(msghdr& message) {
  std::vector<UniqueFd> sockets;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::vector<int> fds((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(fds.data(), CMSG_DATA(header), fds.size() * sizeof(int));
    for (const int fd : fds) sockets.emplace_back(fd);
  }
  return sockets;
}

}  // namespace

absl::StatusOr<OwnCommand> OwnCommand::Read() {
  std::ostringstream content;
  content << std::ifstream("/proc/self/cmdline", std::ios::binary).rdbuf();
  const std::string text = content.str();
  OwnCommand command;
  command.arguments = absl::StrSplit(text, '\0');
  command.arguments.pop_back();  // what follows the last one's end
  if (command.arguments.empty()) return absl::UnavailableError("own arguments cannot be read");
  CULVERT_ASSIGN_OR_RETURN(command.path, OwnPath(command.arguments.front()));
  return command;
}

absl::StatusOr<Inheritance> Inheritance::Take() {
  Inheritance inheritance;
  const char* const variable = getenv(hand_over::kVariable);
  if (variable == nullptr) return inheritance;
  int fd = -1;
  if (!absl::SimpleAtoi(variable, &fd) || fd <= STDERR_FILENO) fd = -1;
  unsetenv(hand_over::kVariable);
  CULVERT_RETURN_IF_ERROR(CheckSocket(fd));
  inheritance.socket_.reset(fd);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  const timeval limit{kReceiveSeconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  CULVERT_RETURN_IF_ERROR(Annotate(inheritance.Receive(), "take over"));
  return inheritance;
}

absl::Status Inheritance::Receive() {
  while (entries_.size() < kMaxEntries) {
    CULVERT_ASSIGN_OR_RETURN(const bool more, ReceiveOne());
    if (!more) return absl::OkStatus();
  }
  return absl::ResourceExhaustedError("too many sockets");
}

absl::StatusOr<bool> Inheritance::ReceiveOne() {
  std::array<char, 4097> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Listening::kMaxSockets)> control{};
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0) return ErrnoStatus(errno, "receive");
  std::vector<UniqueFd> sockets = SocketsOf(message);
  if (got == 0) return absl::UnavailableError("the old process has ended");
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::ResourceExhaustedError("a message is too long, or descriptors are short");
  }
  if (text[0] == hand_over::kEnd) return false;
  if (text[0] != hand_over::kSockets) return absl::InvalidArgumentError("unknown message");
  entries_.push_back(
      {std::string(text.data() + 1, static_cast<size_t>(got) - 1), std::move(sockets)});
  return true;
}

std::vector<UniqueFd> Inheritance::TakeListening(const std::string& name) {
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->name != name) continue;
    std::vector<UniqueFd> sockets = std::move(entry->sockets);
    entries_.erase(entry);
    return sockets;
  }
  return {};
}

void Inheritance::TellReady() {
  entries_.clear();
  if (!socket_.is_open()) return;
  const char ready = hand_over::kReady;
  // An old process that has ended meanwhile has not ended in order: this one goes on all the same.
  [[maybe_unused]] const ssize_t sent = send(socket_.get(), &ready, 1, MSG_NOSIGNAL);
  socket_.reset();
}

}  // namespace culvert::net
