#include "net/listener.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "net/socket_options.h"

namespace culvert::net {
namespace {

using MakeStream = absl::StatusOr<std::unique_ptr<TcpStream>>(EventLoop& loop, int fd);

FdListener::OnAccept WrapInStream(EventLoop& loop, MakeStream* make, Listener::OnAccept on_accept) {
  return [&loop, make, on_accept = std::move(on_accept)](int fd, const Address& peer) mutable {
    auto stream = make(loop, fd);
    if (stream.ok()) {
      on_accept(*std::move(stream));
    } else {
      CULVERT_LOG(kDebug, "[tcp {}] dropped when accepted: {}", peer.ToString(),
                  MessageOf(stream.status()));
    }
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Make(
    absl::StatusOr<std::unique_ptr<FdListener>> fds) {
  if (!fds.ok()) return fds.status();
  return std::unique_ptr<Listener>(new Listener(*std::move(fds)));
}

// What it accepts has the options of the listening socket: set once, not for each.
absl::StatusOr<std::unique_ptr<Listener>> Listener::Bind(EventLoop& loop, const Address& address,
                                                         OnAccept on_accept) {
  return Make(FdListener::Bind(loop, address,
                               WrapInStream(loop, TcpStream::FromAcceptedFd, std::move(on_accept)),
                               SetStreamOptions));
}

// Who made it may have set none, and what waits to be accepted keeps what it has.
absl::StatusOr<std::unique_ptr<Listener>> Listener::FromFd(EventLoop& loop, int fd,
                                                           OnAccept on_accept) {
  return Make(
      FdListener::FromFd(loop, fd, WrapInStream(loop, TcpStream::FromFd, std::move(on_accept))));
}

}  // namespace culvert::net
