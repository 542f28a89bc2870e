#include "net/tcp_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "net/connected_sockets.h"
#include "net/fd_poll.h"
#include "net/read_buffers.h"
#include "net/socket_options.h"
#include "net/stream_core.h"
#include "net/timer.h"
#include "net/unique_fd.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

// How long a socket that is not read is left alone after it woke the loop without an error. Its
// condition stays (both directions ended, or urgent data waits) and would wake every turn.
constexpr Duration kQuietTime = std::chrono::seconds(1);

// What Linux calls a reset depends on the call that meets it and on who had ended which direction.
absl::Status BrokenStatus(int error) {
  if (error == EPIPE || error == ENOTCONN) error = ECONNRESET;
  return ErrnoStatus(error);
}

}  // namespace

class TcpStream::Core final : public StreamCore {
 public:
  Core(EventLoop& loop, UniqueFd fd, const std::string& peer_name)
      : StreamCore(loop),
        fd_(std::move(fd)),
        peer_name_(peer_name),
        poll_(std::in_place, loop,
              [this](unsigned events) { Run([this, events] { HandleReady(events); }); }) {}

  absl::Status Open() { return poll_->Open(fd_.get()); }
  void SetReadSize(size_t bytes) {
    CULVERT_CHECK(bytes > 0 && bytes <= ByteStream::kMostReadSize);
    read_size_ = bytes;
  }
  int fd() const { return fd_.get(); }
  const std::string& peer_name() const { return peer_name_; }

 private:
  void HandleReady(unsigned events) {
    if (events & FdPoll::kPeerFinished) NoteFinish();
    // Reading that was switched off stays watched until it fires: see Rewatch.
    if ((events & FdPoll::kReadable) && !is_reading()) poll_->Watch(Wanted());
    if (is_reading() && (events & (FdPoll::kReadable | FdPoll::kBroken))) {
      Read();  // what arrived before a reset is still there, and the error behind it
    } else if (events & FdPoll::kBroken) {
      CheckError();
    }
    if (is_open() && (events & FdPoll::kWritable)) Flush();
  }

  void Read() {
    if (read_size_ > ByteStream::kMaxRead) {
      ReadLarge();
      return;
    }
    const absl::Span<char> buffer = loop().scratch();
    const ssize_t got = recv(fd_.get(), buffer.data(), read_size_, 0);
    if (got > 0) {
      Deliver(Bytes::Copy({buffer.data(), static_cast<size_t>(got)}));
    } else {
      HandleNothing(got);
    }
  }

  void ReadLarge() {
    ReadBuffers& buffers = loop().read_buffers();
    ReadBuffers::Buffer buffer = buffers.Take();
    const ssize_t got = recv(fd_.get(), buffer.get(), read_size_, 0);
    const size_t size = static_cast<size_t>(std::max<ssize_t>(got, 0));
    if (2 * size >= buffers.size()) {
      Deliver(buffers.Share(std::move(buffer), size));
      return;
    }
    const int error = errno;
    Bytes copy = size > 0 ? Bytes::Copy({buffer.get(), size}) : Bytes();
    buffers.Return(std::move(buffer));
    errno = error;
    if (size > 0) {
      Deliver(std::move(copy));
    } else {
      HandleNothing(got);
    }
  }

  // Of a recv that brought no bytes.
  void HandleNothing(ssize_t got) {
    if (got == 0) {
      NoteFinish();
      DeliverEnd();
    } else if (errno != EAGAIN && errno != EINTR) {
      Break(BrokenStatus(errno));
    }
  }

  // Also while what was sent before is not read, which may take its time.
  void NoteFinish() {
    if (!peer_finished_) ProbeLate(fd_.get());
    peer_finished_ = true;
  }

  void CheckError() {
    if (const int error = TakeSocketError(fd_.get())) {
      Break(BrokenStatus(error));
      return;
    }
    BeQuiet();
  }

  void BeQuiet() {
    if (!quiet_) quiet_.emplace(loop());
    quiet_->Start(kQuietTime, [this] { Rewatch(); });
  }

  absl::Status FlushTo(WriteQueue& queue) override {
    const int error = queue.Flush(
        [this](const iovec* parts, int count, WriteQueue::Next next) -> ssize_t {
          // The FIN goes along: one segment, and the peer is woken once.
          const int more = next == WriteQueue::Next::kEnd ? MSG_MORE : 0;
          msghdr message{};
          message.msg_iov = const_cast<iovec*>(parts);
          message.msg_iovlen = static_cast<size_t>(count);
          const ssize_t sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL | more);
          return sent < 0 ? -errno : sent;
        },
        [this] { return shutdown(fd_.get(), SHUT_WR) == 0 ? 0 : errno; });
    return error == 0 ? absl::OkStatus() : BrokenStatus(error);
  }

  unsigned Wanted() const {
    if (is_broken() || !has_delegate()) return 0;
    unsigned wanted = 0;
    if (is_reading()) wanted |= FdPoll::kReadable;
    if (wants_to_write()) wanted |= FdPoll::kWritable;
    // Errors come with anything that is watched.
    const bool quiet = quiet_ && quiet_->is_set();
    if (wanted == 0 && !quiet) wanted = FdPoll::kBroken;
    if (wanted != 0 && !is_reading() && !peer_finished_) wanted |= FdPoll::kPeerFinished;
    return wanted;
  }

  // Each change costs two epoll_ctl calls, so reading that was switched off stays watched until it
  // fires: mostly it is switched on again before.
  void Rewatch() override {
    // Both directions have ended, which is a hang-up.
    if (has_ended() && !quiet_) BeQuiet();
    const unsigned wanted = Wanted();
    const bool only_reading_is_left = poll_->watched() == FdPoll::kReadable &&
                                      (wanted & ~FdPoll::kPeerFinished) == FdPoll::kBroken;
    if (!only_reading_is_left) poll_->Watch(wanted);
  }

  void Release() override {
    poll_.reset();
    quiet_.reset();
    fd_.reset();
  }

  UniqueFd fd_;
  const std::string peer_name_;
  std::optional<FdPoll> poll_;  // after `fd_`, before which it must go
  std::optional<Timer> quiet_;
  size_t read_size_ = ByteStream::kMaxRead;
  bool peer_finished_ = false;
};

absl::StatusOr<std::unique_ptr<TcpStream>> TcpStream::FromFd(EventLoop& loop, int fd) {
  loop.AssertOnThread();
  UniqueFd owned(fd);
  CULVERT_ASSIGN_OR_RETURN(const Address peer, Address::OfPeer(fd));
  return FromDialledFd(loop, owned.release(), peer);
}

absl::StatusOr<std::unique_ptr<TcpStream>> TcpStream::FromAcceptedFd(EventLoop& loop, int fd) {
  loop.AssertOnThread();
  UniqueFd owned(fd);
  CULVERT_ASSIGN_OR_RETURN(const Address peer, Address::OfPeer(fd));
  return Open(loop, new Core(loop, std::move(owned), peer.ToString()));
}

absl::StatusOr<std::unique_ptr<TcpStream>> TcpStream::FromDialledFd(EventLoop& loop, int fd,
                                                                    const Address& peer) {
  loop.AssertOnThread();
  UniqueFd owned(fd);
  CULVERT_RETURN_IF_ERROR(SetStreamOptions(fd));
  return Open(loop, new Core(loop, std::move(owned), peer.ToString()));
}

absl::StatusOr<std::unique_ptr<TcpStream>> TcpStream::FromUnixFd(EventLoop& loop, int fd,
                                                                 const std::string& peer_name) {
  loop.AssertOnThread();
  return Open(loop, new Core(loop, UniqueFd(fd), peer_name));
}

absl::StatusOr<std::unique_ptr<TcpStream>> TcpStream::Open(EventLoop& loop, Core* core) {
  std::unique_ptr<TcpStream> stream(new TcpStream(loop, core));
  CULVERT_RETURN_IF_ERROR(core->Open());
  return stream;
}

TcpStream::~TcpStream() {
  loop_.AssertOnThread();
  core_->Close();
}

void TcpStream::SetDelegate(Delegate* delegate) {
  loop_.AssertOnThread();
  core_->SetDelegate(delegate);
}

void TcpStream::SetReading(bool on) {
  loop_.AssertOnThread();
  core_->SetReading(on);
}

void TcpStream::SetReadSize(size_t bytes) {
  loop_.AssertOnThread();
  core_->SetReadSize(bytes);
}

void TcpStream::Write(Bytes bytes, Completion done) {
  loop_.AssertOnThread();
  core_->Write(std::move(bytes), std::move(done));
}

void TcpStream::WriteAll(std::vector<Bytes> parts, Completion done) {
  loop_.AssertOnThread();
  core_->WriteAll(std::move(parts), std::move(done));
}

void TcpStream::FinishWriting(Completion done) {
  loop_.AssertOnThread();
  core_->FinishWriting(std::move(done));
}

void TcpStream::FinishWith(std::vector<Bytes> last, Completion done) {
  loop_.AssertOnThread();
  core_->FinishWith(std::move(last), std::move(done));
}

void TcpStream::SetResetOnClose(bool on) {
  loop_.AssertOnThread();
  net::SetResetOnClose(core_->fd(), on);
}

std::string TcpStream::PeerName() const {
  loop_.AssertOnThread();
  return core_->peer_name();
}

bool TcpStream::HasEndedUnread() const {
  loop_.AssertOnThread();
  char byte = 0;
  const ssize_t got = recv(core_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

std::optional<TcpProgress> TcpStream::Progress() const {
  loop_.AssertOnThread();
  return TcpProgressOf(core_->fd(), MonotonicNow());
}

bool TcpStream::HasLostItsAddress() const {
  loop_.AssertOnThread();
  const absl::StatusOr<Address> local = Address::OfSocket(core_->fd());
  return local.ok() && !IsLocalAddress(*local);
}

}  // namespace culvert::net
