#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "net/fd_poll.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/socket_options.h"
#include "net/timer.h"
#include "net/unique_fd.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

constexpr int kMaxAcceptsPerTurn = 64;
constexpr Duration kWarningInterval = std::chrono::seconds(1);
// How long to leave the backlog alone when nothing can be accepted, not even to be refused.
constexpr Duration kPause = std::chrono::milliseconds(100);

bool IsOutOfDescriptors(int error) { return error == EMFILE || error == ENFILE; }

// Of the connection, not of the listener: accept(2) says to treat these like EAGAIN and go on.
bool IsOfTheConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:  // the firewall
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<Address> PeerOf(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_UNIX) return Address();
  return Address::FromSockaddr(reinterpret_cast<const sockaddr*>(&storage));
}

int OpenReserve() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

void Reset(int fd) {
  UniqueFd closing(fd);
  SetResetOnClose(fd, true);
}

absl::StatusOr<UniqueFd> OpenListeningSocket(const Address& address, FdListener::Prepare prepare) {
  const std::string context = fmt::format("listen on {}", address.ToString());
  UniqueFd fd(socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return ErrnoStatus(errno, context);
  SetSocketOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.is_ipv6()) SetSocketOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(fd.get(), address.get(), address.size()) != 0) return ErrnoStatus(errno, context);
  CULVERT_RETURN_IF_ERROR(Annotate(prepare(fd.get()), context));
  if (listen(fd.get(), SOMAXCONN) != 0) return ErrnoStatus(errno, context);
  return fd;
}

bool IsListening(int fd) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

}  // namespace

// Separate from the listener because `on_accept` may destroy that.
struct FdListener::Handle {
  Handle(EventLoop& loop, int socket, std::string listener_name, OnAccept callback)
      : fd(socket),
        name(std::move(listener_name)),
        on_accept(std::move(callback)),
        reserve(OpenReserve()),
        poll(std::in_place, loop, [this](unsigned) { HandleReady(); }),
        pause(std::in_place, loop) {}

  void Close() {
    open = false;
    poll.reset();
    pause.reset();
    fd.reset();
    reserve.reset();
    if (!running) delete this;
  }

  void HandleReady() {
    running = true;
    for (int i = 0; i < kMaxAcceptsPerTurn && open; ++i) {
      if (!AcceptOne()) break;
    }
    running = false;
    if (!open) delete this;
  }

  // False when there is no more to do in this turn.
  bool AcceptOne() {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    const int accepted = accept4(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) return HandleFailure(errno);
    const auto peer = PeerOf(storage);
    if (accepted >= DescriptorRefusalThreshold() || !peer.ok()) {
      Reset(accepted);
      Warn("out of descriptors");
      return true;
    }
    on_accept(accepted, *peer);  // may destroy the listener
    return true;
  }

  bool HandleFailure(int error) {
    if (error == EAGAIN) return false;
    if (IsOfTheConnection(error)) return true;
    if (IsOutOfDescriptors(error) && RefuseWithReserve()) return true;
    Warn(ErrnoText(error));
    // The connection stays in the backlog and would wake the loop again at once.
    poll->Watch(0);
    pause->Start(kPause, [this] { Resume(); });
    return false;
  }

  // Gives up the descriptor that is held back for this, so that the one at the head of the backlog
  // can be accepted and reset instead of waiting for ever. False if that did not work.
  bool RefuseWithReserve() {
    if (!reserve.is_open()) return false;
    reserve.reset();
    const int accepted = accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted >= 0) {
      Reset(accepted);
      Warn("out of descriptors");
    }
    reserve.reset(OpenReserve());
    return accepted >= 0;
  }

  void Resume() {
    if (!reserve.is_open()) reserve.reset(OpenReserve());
    poll->Watch(FdPoll::kReadable);
  }

  void Warn(std::string_view why) {
    ++refused;
    const MonotonicTime now = MonotonicNow();
    if (warned_at && now - *warned_at < kWarningInterval) return;
    warned_at = now;
    CULVERT_LOG(kWarning, "[listen {}] refused connections={} reason=\"{}\"", name, refused, why);
    refused = 0;
  }

  UniqueFd fd;
  const std::string name;
  OnAccept on_accept;
  UniqueFd reserve;
  int refused = 0;  // since the last warning
  std::optional<MonotonicTime> warned_at;
  bool open = true;      // the listener exists
  bool running = false;  // HandleReady is on the stack
  std::optional<FdPoll> poll;
  std::optional<Timer> pause;
};

absl::StatusOr<std::unique_ptr<FdListener>> FdListener::Bind(EventLoop& loop,
                                                             const Address& address,
                                                             OnAccept on_accept, Prepare prepare) {
  loop.AssertOnThread();
  auto fd = OpenListeningSocket(address, prepare);
  if (!fd.ok()) return fd.status();
  return FromFd(loop, fd->release(), std::move(on_accept));
}

absl::StatusOr<std::unique_ptr<FdListener>> FdListener::FromFd(EventLoop& loop, int fd,
                                                               OnAccept on_accept) {
  loop.AssertOnThread();
  UniqueFd owned(fd);
  const auto address = Address::OfSocket(fd);
  if (!address.ok() || !IsListening(fd)) {
    return absl::InvalidArgumentError(
        fmt::format("descriptor {} is not a listening TCP socket", fd));
  }
  return Watch(loop, fd,
               new Handle(loop, owned.release(), address->ToString(), std::move(on_accept)),
               *address);
}

absl::StatusOr<std::unique_ptr<FdListener>> FdListener::FromUnixFd(EventLoop& loop, int fd,
                                                                   const std::string& name,
                                                                   OnAccept on_accept) {
  loop.AssertOnThread();
  return Watch(loop, fd, new Handle(loop, fd, name, std::move(on_accept)), Address());
}

absl::StatusOr<std::unique_ptr<FdListener>> FdListener::Watch(EventLoop& loop, int fd,
                                                              Handle* handle,
                                                              const Address& address) {
  std::unique_ptr<FdListener> listener(new FdListener(loop, handle, address));
  CULVERT_RETURN_IF_ERROR(handle->poll->Open(fd));
  handle->poll->Watch(FdPoll::kReadable);
  return listener;
}

int FdListener::fd() const {
  loop_.AssertOnThread();
  return handle_->fd.get();
}

FdListener::~FdListener() {
  loop_.AssertOnThread();
  handle_->Close();
}

}  // namespace culvert::net
