#include "net/tcp_stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/check.h"
#include "net/address.h"
#include "net/deferred.h"
#include "net/fd_poll.h"
#include "net/socket_options.h"
#include "net/timer.h"
#include "net/unique_fd.h"
#include "net/uv_error.h"
#include "net/write_queue.h"

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

// All of the stream. Separate from it because a delegate or a completion may destroy the stream
// while a method of this is on the stack.
struct TcpStream::Handle {
  enum class State { kOpen, kBreaking, kBroken };  // kBreaking: not yet told to the delegate
  enum class Input { kPaused, kReading, kEnded };

  Handle(EventLoop& event_loop, int socket, Address peer_address)
      : loop(event_loop),
        fd(socket),
        peer(peer_address),
        poll(std::in_place, loop, [this](unsigned events) { HandleReady(events); }),
        report(std::in_place, loop, [this] { HandleReport(); }) {}

  // The stream is gone: nothing of its user may run any more.
  void Close() {
    open = false;
    poll.reset();
    report.reset();
    quiet.reset();
    fd.reset();
    queue = WriteQueue();
    FreeIfUnused();
  }

  void FreeIfUnused() {
    if (!open && !running) delete this;
  }

  void HandleReady(unsigned events) {
    running = true;
    Receive(events);
    if (open && (events & FdPoll::kWritable)) Flush();
    if (open) Report();
    if (open) Rewatch(events);
    running = false;
    FreeIfUnused();
  }

  void HandleReport() {
    running = true;
    Report();
    if (open) Rewatch(0);
    running = false;
    FreeIfUnused();
  }

  void Receive(unsigned events) {
    if (state != State::kOpen) return;
    if (input == Input::kReading && (events & (FdPoll::kReadable | FdPoll::kBroken))) {
      Read();  // what arrived before a reset is still there, and the error after it
    } else if (events & FdPoll::kBroken) {
      CheckError();
    }
  }

  void Read() {
    const absl::Span<char> buffer = loop.scratch();
    const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      delegate->OnBytes(Bytes(std::string(buffer.data(), static_cast<size_t>(got))));
    } else if (got == 0) {
      input = Input::kEnded;
      delegate->OnEnd();
    } else if (errno != EAGAIN && errno != EINTR) {
      Break(errno);
    }
  }

  void CheckError() {
    if (const int error = TakeSocketError(fd.get())) {
      Break(error);
      return;
    }
    if (!quiet) quiet.emplace(loop);
    quiet->Start(kQuietTime, [this] { Rewatch(0); });
  }

  void Flush() {
    if (state != State::kOpen) return;
    const int error = queue.Flush(
        [this](const iovec* parts, int count) -> ssize_t {
          msghdr message{};
          message.msg_iov = const_cast<iovec*>(parts);
          message.msg_iovlen = static_cast<size_t>(count);
          const ssize_t sent = sendmsg(fd.get(), &message, MSG_NOSIGNAL);
          return sent < 0 ? -errno : sent;
        },
        [this] { return shutdown(fd.get(), SHUT_WR) == 0 ? 0 : errno; });
    if (error != 0) Break(error);
  }

  // After a push: hands over at once if nothing waits before it, yet completes in a later turn.
  void Pushed(bool was_empty) {
    CULVERT_CHECK(delegate != nullptr);
    if (state != State::kOpen) queue.Abandon(broken);
    if (was_empty) Flush();
    if (queue.has_done() || state == State::kBreaking) report->Schedule();
    Rewatch(0);
  }

  void Break(int error) {
    state = State::kBreaking;
    broken = BrokenStatus(error);
    queue.Abandon(broken);
  }

  // Runs the completions that are due, then OnBroken. The caller asks `open` afterwards.
  void Report() {
    for (WriteQueue::Done& done : queue.TakeDone()) {
      if (done.completion) std::move(done.completion)(done.status);
      if (!open) return;
    }
    if (queue.has_done()) report->Schedule();  // of writes that a completion made
    if (state == State::kBreaking) {
      state = State::kBroken;
      delegate->OnBroken(broken);
    }
  }

  unsigned Wanted() const {
    if (state != State::kOpen || delegate == nullptr) return 0;
    unsigned wanted = 0;
    if (input == Input::kReading) wanted |= FdPoll::kReadable;
    if (!queue.is_empty()) wanted |= FdPoll::kWritable;
    if (wanted == 0 && !(quiet && quiet->is_set())) wanted = FdPoll::kBroken;
    return wanted;
  }

  // Each change costs two epoll_ctl calls. So reading that was switched off stays watched until it
  // fires (`fired`): mostly it is switched on again before.
  void Rewatch(unsigned fired) {
    const unsigned wanted = Wanted();
    const unsigned watched = poll->watched();
    const unsigned unwanted = watched & ~wanted & (fired | FdPoll::kWritable | FdPoll::kBroken);
    // Errors come with anything that is watched.
    const unsigned missing = wanted == FdPoll::kBroken && watched != 0 ? 0 : wanted & ~watched;
    if (unwanted != 0 || missing != 0 || wanted == 0) poll->Watch(wanted);
  }

  EventLoop& loop;
  UniqueFd fd;
  const Address peer;
  Delegate* delegate = nullptr;
  State state = State::kOpen;
  Input input = Input::kPaused;
  bool open = true;      // the stream exists
  bool running = false;  // a callback is on the stack
  absl::Status broken;   // the reason, unless kOpen
  WriteQueue queue;
  std::optional<FdPoll> poll;
  std::optional<Deferred> report;
  std::optional<Timer> quiet;
};

absl::StatusOr<std::unique_ptr<TcpStream>> TcpStream::FromFd(EventLoop& loop, int fd) {
  loop.AssertOnThread();
  UniqueFd owned(fd);
  const auto peer = Address::OfPeer(fd);
  if (!peer.ok()) return peer.status();
  if (absl::Status set = SetStreamOptions(fd); !set.ok()) return set;
  std::unique_ptr<TcpStream> stream(new TcpStream(loop, new Handle(loop, owned.release(), *peer)));
  if (absl::Status opened = stream->handle_->poll->Open(fd); !opened.ok()) return opened;
  return stream;
}

TcpStream::~TcpStream() {
  loop_.AssertOnThread();
  handle_->Close();
}

void TcpStream::SetDelegate(Delegate* delegate) {
  loop_.AssertOnThread();
  CULVERT_CHECK(delegate != nullptr && handle_->delegate == nullptr);
  handle_->delegate = delegate;
  handle_->Rewatch(0);
}

void TcpStream::SetReading(bool on) {
  loop_.AssertOnThread();
  CULVERT_CHECK(handle_->delegate != nullptr);
  if (handle_->input == Handle::Input::kEnded) return;
  handle_->input = on ? Handle::Input::kReading : Handle::Input::kPaused;
  if (on) handle_->Rewatch(0);
}

void TcpStream::Write(Bytes bytes, Completion done) {
  loop_.AssertOnThread();
  const bool was_empty = handle_->queue.is_empty();
  handle_->queue.Push(std::move(bytes), std::move(done));
  handle_->Pushed(was_empty);
}

void TcpStream::FinishWriting(Completion done) {
  loop_.AssertOnThread();
  const bool was_empty = handle_->queue.is_empty();
  handle_->queue.PushFinish(std::move(done));
  handle_->Pushed(was_empty);
}

void TcpStream::SetResetOnClose(bool on) {
  loop_.AssertOnThread();
  net::SetResetOnClose(handle_->fd.get(), on);
}

std::string TcpStream::PeerName() const {
  loop_.AssertOnThread();
  return handle_->peer.ToString();
}

}  // namespace culvert::net
