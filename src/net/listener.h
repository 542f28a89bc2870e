// Listens on a TCP address and hands out connected streams.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/tcp_stream.h"

namespace culvert::net {

// Accepts sockets as bare descriptors: for whoever passes them on (the broker to gRPC). Confined to
// the loop; destroy = stop listening. At most 64 accepts per loop turn. When the process is out of
// descriptors (EMFILE/ENFILE), or the accepted descriptor is at or above 90 % of RLIMIT_NOFILE, the
// connection is closed at once and a warning is logged at most once a second, so that the loop
// never spins.
class FdListener {
 public:
  using OnAccept = absl::AnyInvocable<void(
      int fd, Address peer)>;  // takes the fd, non-blocking and close-on-exec

  // Port 0 lets the kernel choose. The message of a failed bind names the address: "listen on
  // 127.0.0.1:22: permission denied". SO_REUSEADDR is set, SO_REUSEPORT never; an IPv6 socket is
  // IPV6_V6ONLY.
  static absl::StatusOr<std::unique_ptr<FdListener>> Bind(EventLoop& loop, const Address& address,
                                                          OnAccept on_accept);
  // Adopts a listening socket (socket activation).
  static absl::StatusOr<std::unique_ptr<FdListener>> FromFd(EventLoop& loop, int fd,
                                                            OnAccept on_accept);
  ~FdListener();
  FdListener(const FdListener&) = delete;
  FdListener& operator=(const FdListener&) = delete;

  const Address& address() const { return address_; }

 private:
  struct Handle;
  FdListener(Handle* handle, Address address) : handle_(handle), address_(address) {}
  Handle* handle_;
  Address address_;
};

// The same, handing out TcpStreams.
class Listener {
 public:
  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<TcpStream>)>;
  static absl::StatusOr<std::unique_ptr<Listener>> Bind(EventLoop& loop, const Address& address,
                                                        OnAccept on_accept);
  const Address& address() const { return fds_->address(); }

 private:
  explicit Listener(std::unique_ptr<FdListener> fds) : fds_(std::move(fds)) {}
  std::unique_ptr<FdListener> fds_;
};

}  // namespace culvert::net
