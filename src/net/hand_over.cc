#include "net/hand_over.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "net/hand_over_wire.h"
#include "net/uv_error.h"

extern char** environ;  // POSIX: the program declares it

namespace culvert::net {
namespace {

// In the new process.
constexpr int kSocketThere = 3;

std::vector<std::string> NewEnvironment() {
  std::vector<std::string> variables;
  const std::string own = std::string(hand_over::kVariable) + "=";
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::string_view(*entry).substr(0, own.size()) != own) variables.emplace_back(*entry);
  }
  variables.push_back(own + std::to_string(kSocketThere));
  return variables;
}

// For exec: points into `texts`.
std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// 0, or an errno.
int SendMessage(int fd, std::string_view text, const std::vector<int>& sockets) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Listening::kMaxSockets)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!sockets.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * sockets.size());
    auto* const header = reinterpret_cast<cmsghdr*>(control.data());
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * sockets.size());
    std::memcpy(CMSG_DATA(header), sockets.data(), sizeof(int) * sockets.size());
  }
  return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

std::string HowItEnded(int status) {
  if (WIFEXITED(status)) return fmt::format("ended with {}", WEXITSTATUS(status));
  return fmt::format("was killed by signal {}", WTERMSIG(status));
}

}  // namespace

HandOver::HandOver(EventLoop& loop, OwnCommand command, Duration time)
    : loop_(loop),
      command_(std::move(command)),
      time_(time),
      timer_(loop),
      child_watch_(loop, SIGCHLD, [this] { HandleChild(); }) {}

HandOver::~HandOver() {
  if (child_ != 0) kill(child_, SIGKILL);
}

absl::Status HandOver::Start(std::vector<Listening> listening, Done done) {
  if (is_under_way()) return absl::FailedPreconditionError("it is under way already");
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return ErrnoStatus(errno, "socket pair");
  }
  UniqueFd own(ends[0]);
  const UniqueFd other(ends[1]);
  poll_.reset();
  socket_ = std::move(own);
  poll_.emplace(loop_, [this](unsigned events) { HandleSocket(events); });
  CULVERT_RETURN_IF_ERROR(poll_->Open(socket_.get()));
  CULVERT_ASSIGN_OR_RETURN(child_, Spawn(other.get()));
  unreaped_.insert(child_);
  done_ = std::move(done);
  unsent_.assign(std::make_move_iterator(listening.begin()),
                 std::make_move_iterator(listening.end()));
  end_sent_ = false;
  timer_.Start(time_, [this] {
    End(absl::DeadlineExceededError(
        fmt::format("the new process is not ready after {:.0f} s", ToSeconds(time_))));
  });
  Flush();
  return absl::OkStatus();
}

absl::StatusOr<pid_t> HandOver::Spawn(int socket) const {
  std::vector<std::string> arguments = command_.arguments;
  std::vector<std::string> environment = NewEnvironment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, kSocketThere);
  posix_spawn_file_actions_addclosefrom_np(&actions, kSocketThere + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, command_.path.c_str(), &actions, &attributes,
                                Pointers(arguments).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, fmt::format("start {}", command_.path));
  return pid;
}

void HandOver::Flush() {
  while (!unsent_.empty()) {
    const Listening& next = unsent_.front();
    const int error = SendMessage(socket_.get(), hand_over::kSockets + next.name, next.sockets);
    if (error == EAGAIN || error == ETOOMANYREFS) break;
    if (error != 0) return poll_->Watch(0);  // it has gone: HandleChild knows how
    unsent_.pop_front();
  }
  if (unsent_.empty() && !end_sent_) {
    end_sent_ = SendMessage(socket_.get(), std::string(1, hand_over::kEnd), {}) == 0;
  }
  poll_->Watch(end_sent_ ? FdPoll::kReadable : FdPoll::kReadable | FdPoll::kWritable);
}

void HandOver::HandleSocket(unsigned events) {
  if ((events & FdPoll::kWritable) != 0) Flush();
  if ((events & ~FdPoll::kWritable) == 0) return;
  char byte = 0;
  const ssize_t got = recv(socket_.get(), &byte, 1, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got == 1 && byte == hand_over::kReady) {
    End(child_);
  } else {
    poll_->Watch(0);  // it is ending, or will be ended when its time is over
  }
}

void HandOver::HandleChild() {
  for (auto pid = unreaped_.begin(); pid != unreaped_.end();) {
    int status = 0;
    const pid_t ended = *pid;
    if (waitpid(ended, &status, WNOHANG) != ended) {
      ++pid;
      continue;
    }
    pid = unreaped_.erase(pid);
    if (ended == child_) {
      child_ = 0;
      // It may destroy this, and so may the next one.
      return End(absl::UnavailableError(fmt::format("the new process {}", HowItEnded(status))));
    }
    if (ended == successor_) return HandleSuccessorEnd(status);
  }
}

// One that has ended in order was told to, or has handed over in its turn.
void HandOver::HandleSuccessorEnd(int status) {
  successor_ = 0;
  const bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  if (failed && on_successor_failed_) on_successor_failed_(HowItEnded(status));
}

void HandOver::End(absl::StatusOr<pid_t> result) {
  if (!result.ok() && child_ != 0) kill(child_, SIGKILL);
  if (result.ok()) successor_ = *result;
  child_ = 0;
  timer_.Cancel();
  poll_->Watch(0);
  unsent_.clear();
  // It may destroy this.
  std::exchange(done_, nullptr)(std::move(result));
}

}  // namespace culvert::net
