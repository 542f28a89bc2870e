#include "net/stdio_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "net/deferred.h"
#include "net/stdio_end.h"
#include "net/stream_core.h"
#include "net/timer.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

absl::Status ReadError(int error) { return ErrnoStatus(error, "read standard input"); }

absl::Status WriteError(int error) {
  if (error == EPIPE || error == ECONNRESET) return absl::AbortedError(kReaderGone);
  return ErrnoStatus(error, "write to standard output");
}

bool HasErrorOrHangUp(int fd) {
  pollfd state{.fd = fd, .events = 0, .revents = 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0;
}

class Core final : public StreamCore {
 public:
  Core(EventLoop& loop, int out_fd, Duration end_time)
      : StreamCore(loop),
        out_original_(out_fd),
        end_time_(end_time),
        in_(std::in_place, loop, [this](unsigned) { Run([this] { Read(); }); }),
        out_(std::in_place, loop, [this](unsigned) { Run([this] { HandleOutput(); }); }),
        resume_(std::in_place, loop, [this] { Run([this] { TakeHeld(); }); }),
        reader_gone_(std::in_place, loop) {}

  absl::Status Open(int in_fd) {
    const int in_flags = fcntl(in_fd, F_GETFL);
    const int out_flags = fcntl(out_original_, F_GETFL);
    CULVERT_RETURN_IF_ERROR(in_->Open(in_fd, in_flags));
    return out_->Open(out_original_, out_flags);
  }

 private:
  // What a read on a thread brought after reading was switched off.
  struct Held {
    ssize_t result;
    std::string bytes;
  };

  void Read() {
    if (!is_reading()) return;
    const absl::Span<char> buffer = loop().scratch();
    const ssize_t got = read(in_->fd(), buffer.data(), buffer.size());
    const ssize_t error = -errno;
    HandleRead(got < 0 ? error : got,
               {buffer.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))});
  }

  void HandleRead(ssize_t result, std::string_view bytes) {
    if (result > 0) {
      Deliver(Bytes::Copy(bytes));
    } else if (result == 0) {
      DeliverEnd();
    } else if (result != -EAGAIN && result != -EINTR) {
      Break(ReadError(static_cast<int>(-result)));
    }
  }

  void ReadFile() {
    if (!is_reading() || in_->file()->is_busy()) return;
    if (held_) {
      resume_->Schedule();
      return;
    }
    in_->file()->Read(ByteStream::kMaxRead, [this](ssize_t result, std::string bytes) {
      held_ = Held{result, std::move(bytes)};
      Run([this] { TakeHeld(); });
    });
  }

  void TakeHeld() {
    if (!held_ || !is_reading()) return;
    const Held held = std::move(*held_);
    held_.reset();
    HandleRead(held.result, held.bytes);
  }

  void HandleOutput() {
    if (wants_to_write()) {
      Flush();
      return;
    }
    // Urgent data would wake every turn. The next write will tell if there is no reader.
    watch_reader_ = false;
    if (!HasErrorOrHangUp(out_->fd())) return;
    reader_gone_->Start(end_time_,
                        [this] { Run([this] { Break(absl::AbortedError(kReaderGone)); }); });
  }

  absl::Status FlushTo(WriteQueue& queue) override {
    if (out_->file() != nullptr) {
      FlushToFile(queue);
      return absl::OkStatus();
    }
    const int error = queue.Flush(
        [this](const iovec* parts, int count, WriteQueue::Next) -> ssize_t {
          const ssize_t written = writev(out_->fd(), parts, count);
          return written < 0 ? -errno : written;
        },
        [this] {
          watch_reader_ = false;  // a socket of which both directions have ended hangs up as well
          reader_gone_->Cancel();
          return out_->FinishWriting(out_original_);
        });
    return error == 0 ? absl::OkStatus() : WriteError(error);
  }

  void FlushToFile(WriteQueue& queue) {
    if (out_->file()->is_busy()) return;
    while (queue.Front() != nullptr && queue.Front()->empty()) queue.Advance(0);
    if (queue.Front() == nullptr) {
      // The end of a file is where it ends.
      queue.Flush([](const iovec*, int, WriteQueue::Next) -> ssize_t { return -EAGAIN; },
                  [] { return 0; });
      return;
    }
    out_->file()->Write(queue.Front()->Slice(0, WriteQueue::kMaxFlush),
                        [this, &queue](ssize_t result) {
                          Run([this, &queue, result] {
                            if (result < 0) {
                              Break(WriteError(static_cast<int>(-result)));
                            } else if (!is_broken()) {
                              queue.Advance(static_cast<size_t>(result));
                              Flush();
                            }
                          });
                        });
  }

  void Rewatch() override {
    in_->Watch(is_reading() ? FdPoll::kReadable : 0);
    const bool watch_reader = watch_reader_ && has_delegate() && !is_broken();
    out_->Watch(wants_to_write() ? FdPoll::kWritable : watch_reader ? FdPoll::kBroken : 0);
    if (in_->file() != nullptr) ReadFile();
  }

  void Release() override {
    resume_.reset();
    reader_gone_.reset();
    in_.reset();
    out_.reset();
  }

  const int out_original_;
  const Duration end_time_;
  bool watch_reader_ = true;  // while there is nothing to write, which would tell as well
  std::optional<Held> held_;
  std::optional<StdioEnd> in_;
  std::optional<StdioEnd> out_;
  std::optional<Deferred> resume_;
  std::optional<Timer> reader_gone_;
};

class StdioStream final : public ByteStream {
 public:
  StdioStream(EventLoop& loop, int out_fd, Duration end_time)
      : loop_(loop), core_(new Core(loop, out_fd, end_time)) {}
  ~StdioStream() override {
    loop_.AssertOnThread();
    core_->Close();
  }

  absl::Status Open(int in_fd) {
    loop_.AssertOnThread();
    return core_->Open(in_fd);
  }

  void SetDelegate(Delegate* delegate) override {
    loop_.AssertOnThread();
    core_->SetDelegate(delegate);
  }
  void SetReading(bool on) override {
    loop_.AssertOnThread();
    core_->SetReading(on);
  }
  void Write(Bytes bytes, Completion done) override {
    loop_.AssertOnThread();
    core_->Write(std::move(bytes), std::move(done));
  }
  void FinishWriting(Completion done) override {
    loop_.AssertOnThread();
    core_->FinishWriting(std::move(done));
  }
  void SetResetOnClose(bool) override {}
  std::string PeerName() const override { return "stdio"; }

 private:
  EventLoop& loop_;
  Core* const core_ ABSL_PT_GUARDED_BY(loop_);  // owned; outlives this by a callback under way
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> OpenStdio(EventLoop& loop, int in_fd, int out_fd,
                                                      Duration end_time) {
  loop.AssertOnThread();
  auto stream = std::make_unique<StdioStream>(loop, out_fd, end_time);
  CULVERT_RETURN_IF_ERROR(stream->Open(in_fd));
  return stream;
}

}  // namespace culvert::net
