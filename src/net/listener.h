// Listens on a TCP address and hands out connected sockets.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/tcp_stream.h"

namespace culvert::net {

// Accepts sockets as bare descriptors: for whoever passes them on (the broker to gRPC). Confined to
// the loop; destroy = stop listening. At most 64 accepts per loop turn. When the process is out of
// descriptors (EMFILE/ENFILE), or the accepted descriptor is at or above
// DescriptorRefusalThreshold(), the connection is reset at once and a warning is logged at most
// once a second, so that the loop never spins.
class FdListener {
 public:
  // Takes the fd, non-blocking and close-on-exec. May destroy the listener.
  using OnAccept = absl::AnyInvocable<void(int fd, Address peer)>;

  // What is done to the socket before it listens: what it accepts inherits its options.
  using Prepare = absl::FunctionRef<absl::Status(int fd)>;

  // Port 0 lets the kernel choose. The message of a failure names the address: "listen on
  // 127.0.0.1:22: permission denied". SO_REUSEADDR is set, SO_REUSEPORT never; an IPv6 socket is
  // IPV6_V6ONLY.
  static absl::StatusOr<std::unique_ptr<FdListener>> Bind(
      EventLoop& loop, const Address& address, OnAccept on_accept,
      Prepare prepare = [](int) { return absl::OkStatus(); });
  // Adopts a listening socket (socket activation). Closes it on failure: INVALID_ARGUMENT if it is
  // not a listening TCP socket.
  static absl::StatusOr<std::unique_ptr<FdListener>> FromFd(EventLoop& loop, int fd,
                                                            OnAccept on_accept);
  // Adopts what ListenOnUnixSocket made; `name` is for logs. The peers' addresses are default ones.
  static absl::StatusOr<std::unique_ptr<FdListener>> FromUnixFd(EventLoop& loop, int fd,
                                                                const std::string& name,
                                                                OnAccept on_accept);
  ~FdListener();
  FdListener(const FdListener&) = delete;
  FdListener& operator=(const FdListener&) = delete;

  const Address& address() const { return address_; }
  // To be handed to another process; stays this one's.
  int fd() const;

 private:
  struct Handle;
  static absl::StatusOr<std::unique_ptr<FdListener>> Watch(EventLoop& loop, int fd, Handle* handle,
                                                           const Address& address);
  FdListener(EventLoop& loop, Handle* handle, const Address& address)
      : loop_(loop), handle_(handle), address_(address) {}

  EventLoop& loop_;
  Handle* const handle_ ABSL_PT_GUARDED_BY(loop_);  // owned; outlives this by a callback under way
  const Address address_;
};

// The same, handing out TcpStreams. A connection that its peer has reset before it was accepted is
// dropped in silence.
class Listener {
 public:
  // May destroy the listener.
  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<TcpStream>)>;
  static absl::StatusOr<std::unique_ptr<Listener>> Bind(EventLoop& loop, const Address& address,
                                                        OnAccept on_accept);
  // Adopts a listening socket (socket activation), as FdListener::FromFd.
  static absl::StatusOr<std::unique_ptr<Listener>> FromFd(EventLoop& loop, int fd,
                                                          OnAccept on_accept);
  const Address& address() const { return fds_->address(); }
  int fd() const { return fds_->fd(); }

 private:
  static absl::StatusOr<std::unique_ptr<Listener>> Make(
      absl::StatusOr<std::unique_ptr<FdListener>> fds);
  explicit Listener(std::unique_ptr<FdListener> fds) : fds_(std::move(fds)) {}
  std::unique_ptr<FdListener> fds_;
};

}  // namespace culvert::net
