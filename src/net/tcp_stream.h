// A connected TCP socket on libuv.
#pragma once

#include <memory>

#include "net/byte_stream.h"
#include "net/event_loop.h"

struct uv_tcp_s;

namespace culvert::net {

// TCP_NODELAY and SO_KEEPALIVE (60 s idle, 10 s apart, 6 probes: a peer that vanished is noticed in
// 2 min) are set. TCP_USER_TIMEOUT is never set: it also kills a live peer that is not reading. A
// reset is noticed while not reading too, by a one-shot poll for a hang-up on a duplicate of the
// socket (libuv stops watching a socket that is not being read).
class TcpStream final : public ByteStream {
 public:
  // Adopts a connected, non-blocking socket. Closes it on failure.
  static absl::StatusOr<std::unique_ptr<TcpStream>> FromFd(EventLoop& loop, int fd);
  ~TcpStream() override;

  void SetDelegate(Delegate* delegate) override;
  void SetReading(bool on) override;
  void Write(Bytes bytes, Completion done) override;
  void FinishWriting(Completion done) override;
  void SetResetOnClose(bool on) override;
  std::string PeerName() const override;

 private:
  struct Handle;
  explicit TcpStream(EventLoop& loop, Handle* handle);

  EventLoop& loop_;
  Handle* handle_;  // owned; frees itself when libuv has closed it
};

}  // namespace culvert::net
