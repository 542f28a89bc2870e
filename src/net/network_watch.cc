#include "net/network_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "net/fd_poll.h"
#include "net/socket_options.h"
#include "net/timer.h"
#include "net/unique_fd.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

constexpr uint32_t kGroups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
// Messages read in one turn of the loop.
constexpr int kMostPerTurn = 64;

absl::StatusOr<UniqueFd> OpenNetlink() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd.is_open()) return ErrnoStatus(errno, "netlink");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kGroups;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, "netlink");
  }
  return fd;
}

}  // namespace

class NetworkWatch::State {
 public:
  State(EventLoop& loop, std::function<void()> changed)
      : loop_(loop), changed_(std::move(changed)), timer_(loop) {
    const absl::Status opened = Open();
    if (opened.ok()) return;
    poll_.reset();
    CULVERT_LOG(kDebug, "changes of the network are not watched: {}", MessageOf(opened));
  }

  bool is_watching() const { return poll_.has_value(); }

 private:
  absl::Status Open() {
    absl::StatusOr<UniqueFd> fd = OpenNetlink();
    if (!fd.ok()) return fd.status();
    fd_ = *std::move(fd);
    poll_.emplace(loop_, [this](unsigned) { HandleReady(); });
    CULVERT_RETURN_IF_ERROR(poll_->Open(fd_.get()));
    poll_->Watch(FdPoll::kReadable);
    return absl::OkStatus();
  }

  void HandleReady() {
    // More messages than the socket holds: some are lost, and ENOBUFS is the pending error. That
    // something has changed is all that counts. libuv has stopped watching by then.
    bool changed = TakeSocketError(fd_.get()) != 0;
    if (poll_->watched() == 0) poll_->Watch(FdPoll::kReadable);
    for (int i = 0; i < kMostPerTurn; ++i) {
      const std::optional<bool> read = ReadOne();
      if (!read) break;
      changed |= *read;
    }
    if (changed) Note();
  }

  // Whether it was a message of the kernel's; nothing if there is none.
  std::optional<bool> ReadOne() {
    std::array<char, 1> unused;
    sockaddr_nl from{};
    socklen_t size = sizeof(from);
    // What a message says does not matter: the rest of it is dropped.
    const ssize_t got = recvfrom(fd_.get(), unused.data(), unused.size(), MSG_TRUNC,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (got >= 0) return from.nl_pid == 0;
    if (errno == ENOBUFS) return true;
    return std::nullopt;
  }

  void Note() {
    if (timer_.is_set()) return;
    Duration wait = kBurst;
    if (told_) wait = std::max(wait, *told_ + kShortestInterval - loop_.Now());
    timer_.Start(wait, [this] {
      told_ = loop_.Now();
      changed_();  // may destroy this
    });
  }

  EventLoop& loop_;
  const std::function<void()> changed_;
  UniqueFd fd_;
  std::optional<FdPoll> poll_;  // after `fd_`: is gone before that is closed
  Timer timer_;
  std::optional<MonotonicTime> told_;
};

NetworkWatch::NetworkWatch(EventLoop& loop, std::function<void()> changed)
    : state_(std::make_unique<State>(loop, std::move(changed))) {}

NetworkWatch::~NetworkWatch() = default;

bool NetworkWatch::is_watching() const { return state_->is_watching(); }

}  // namespace culvert::net
