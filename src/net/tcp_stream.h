// A connected TCP socket on libuv.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/byte_stream.h"
#include "net/event_loop.h"
#include "net/tcp_progress.h"

namespace culvert::net {

// TCP_NODELAY and SO_KEEPALIVE (60 s idle, 10 s apart, 6 probes: a peer that vanished is noticed in
// 2 min; once it has sent FIN the first probe waits for 2 h, see ProbeLate) are set, and
// SO_OOBINLINE, so that urgent bytes stay in the stream. TCP_USER_TIMEOUT is never set: it also
// kills a live peer that is not reading. A reset is noticed while not reading too: the socket is
// then watched for errors alone, so that neither data nor FIN wakes the loop.
class TcpStream final : public ByteStream {
 public:
  // Adopts a connected socket and makes it non-blocking. Closes it on failure, for example when the
  // peer has reset it already.
  static absl::StatusOr<std::unique_ptr<TcpStream>> FromFd(EventLoop& loop, int fd);
  // The same of one that has its options from the socket that it was accepted at.
  static absl::StatusOr<std::unique_ptr<TcpStream>> FromAcceptedFd(EventLoop& loop, int fd);
  // The same as FromFd of one that was connected to `peer`.
  static absl::StatusOr<std::unique_ptr<TcpStream>> FromDialledFd(EventLoop& loop, int fd,
                                                                  const Address& peer);
  // The same of a unix socket, which has none of those options; `peer_name` is for logs.
  static absl::StatusOr<std::unique_ptr<TcpStream>> FromUnixFd(EventLoop& loop, int fd,
                                                               const std::string& peer_name);
  ~TcpStream() override;

  void SetDelegate(Delegate* delegate) override;
  void SetReading(bool on) override;
  void SetReadSize(size_t bytes) override;
  void Write(Bytes bytes, Completion done) override;
  // As Write of one after the other, in one call of the kernel if it takes them all; `done` is of
  // the last.
  void WriteAll(std::vector<Bytes> parts, Completion done);
  // As WriteAll and FinishWriting, in one segment if it takes them all; `done` is of the end.
  void FinishWith(std::vector<Bytes> last, Completion done);
  void FinishWriting(Completion done) override;
  void SetResetOnClose(bool on) override;
  std::string PeerName() const override;
  // Of a stream that was never read: whether the peer has ended it without a word, or it is broken.
  bool HasEndedUnread() const;
  // None of a unix socket.
  std::optional<TcpProgress> Progress() const;
  // Whether no interface of this machine has the address any more that the connection is from.
  bool HasLostItsAddress() const;

 private:
  class Core;
  static absl::StatusOr<std::unique_ptr<TcpStream>> Open(EventLoop& loop, Core* core);
  TcpStream(EventLoop& loop, Core* core) : loop_(loop), core_(core) {}

  EventLoop& loop_;
  Core* const core_ ABSL_PT_GUARDED_BY(loop_);  // owned; outlives this by a callback under way
};

}  // namespace culvert::net
