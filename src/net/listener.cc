#include "net/listener.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "net/socket_options.h"

namespace culvert::net {
namespace {

FdListener::OnAccept WrapInStream(EventLoop& loop, Listener::OnAccept on_accept) {
  return [&loop, on_accept = std::move(on_accept)](int fd, const Address& peer) mutable {
    auto stream = TcpStream::FromAcceptedFd(loop, fd);
    if (stream.ok()) {
      on_accept(*std::move(stream));
    } else {
      CULVERT_LOG(kDebug, "[tcp {}] dropped when accepted: {}", peer.ToString(),
                  MessageOf(stream.status()));
    }
  };
}

}  // namespace

// What it accepts has the options of the listening socket: set once, not for each.
absl::StatusOr<std::unique_ptr<Listener>> Listener::Adopt(
    absl::StatusOr<std::unique_ptr<FdListener>> fds) {
  if (!fds.ok()) return fds.status();
  CULVERT_RETURN_IF_ERROR(SetStreamOptions((*fds)->fd()));
  return std::unique_ptr<Listener>(new Listener(*std::move(fds)));
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Bind(EventLoop& loop, const Address& address,
                                                         OnAccept on_accept) {
  return Adopt(FdListener::Bind(loop, address, WrapInStream(loop, std::move(on_accept))));
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::FromFd(EventLoop& loop, int fd,
                                                           OnAccept on_accept) {
  return Adopt(FdListener::FromFd(loop, fd, WrapInStream(loop, std::move(on_accept))));
}

}  // namespace culvert::net
