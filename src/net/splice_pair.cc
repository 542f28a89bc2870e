#include "net/splice_pair.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "net/socket_options.h"

namespace culvert::net {
namespace {

constexpr unsigned kSpliceFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

// Of the sockets that are joined. Fails on other than TCP, which is no matter.
void SetOptions(int fd) {
  // What one end wrote is not to wait for more here.
  SetSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  // It would kill a peer that is alive and does not read.
  SetSocketOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
  // Until both directions ended in order, also by the death of this process.
  SetResetOnClose(fd, true);
}

}  // namespace

SplicePair::SplicePair(uint64_t id, std::array<UniqueFd, 2> sockets,
                       std::shared_ptr<SpliceCounts> counts, std::shared_ptr<ByteRate> rate)
    : id_(id), counts_(std::move(counts)), rate_(std::move(rate)) {
  for (int side : {0, 1}) {
    ends_[Index(side)].socket = std::move(sockets[Index(side)]);
    SetOptions(fd(side));
  }
}

SplicePair::~SplicePair() {
  for (Way& way : ways_) GiveBack(way);
}

void SplicePair::Note(int side, uint32_t events) {
  End& end = ends_[Index(side)];
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) end.readable = true;
  if (events & (EPOLLOUT | EPOLLHUP)) end.writable = true;
  if ((events & EPOLLRDHUP) && !end.peer_finished) {
    end.peer_finished = true;
    ProbeLate(end.socket.get());
  }
  if ((events & EPOLLERR) && error_ == 0) error_ = TakeSocketError(end.socket.get());
}

SplicePair::Turn SplicePair::Run(PipePool& pool, absl::Span<char> scratch) {
  pause_ = Duration::max();
  bool more = false;
  bool paused = false;
  for (int from : {0, 1}) {
    if (error_ != 0) break;
    const Turn turn = Move(from, pool, scratch);
    more |= turn == Turn::kMore;
    paused |= turn == Turn::kPaused;
  }
  if (error_ != 0) return Turn::kEnded;
  if (!ways_[0].ended || !ways_[1].ended) {
    if (more) return Turn::kMore;
    return paused ? Turn::kPaused : Turn::kIdle;
  }
  for (End& end : ends_) SetResetOnClose(end.socket.get(), false);
  return Turn::kEnded;
}

SpliceOutcome SplicePair::outcome() const {
  switch (error_) {
    case 0:
      return SpliceOutcome::kFinished;
    // What Linux calls a reset depends on the call that meets it and on who had ended what.
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      return SpliceOutcome::kReset;
    default:
      return SpliceOutcome::kBroken;
  }
}

SplicePair::Turn SplicePair::Move(int from, PipePool& pool, absl::Span<char> scratch) {
  size_t left = kMostPerTurn;
  while (left > 0 && error_ == 0) {
    const Step step = Advance(from, left, pool, scratch);
    if (step == Step::kMoved) continue;
    Way& way = ways_[Index(from)];
    if (way.pipe != nullptr && way.held == 0) pool.Return(std::move(way.pipe));
    if (step == Step::kPaused) return Turn::kPaused;
    if (!ends_[Index(from)].readable) GiveBack(way);
    return Turn::kIdle;
  }
  return Turn::kMore;
}

SplicePair::Step SplicePair::Advance(int from, size_t& left, PipePool& pool,
                                     absl::Span<char> scratch) {
  Way& way = ways_[Index(from)];
  // What cannot be written stays in the socket, whose own window stops the sender.
  if (way.ended || !ends_[Index(1 - from)].writable) return Step::kBlocked;
  if (way.held > 0) return Drain(from, left);
  if (!ends_[Index(from)].readable) return Step::kBlocked;
  const bool limited = rate_ != nullptr && rate_->is_limited();
  const size_t most = limited ? MayMove(from, left) : left;
  if (most == 0) return Step::kPaused;
  if (way.pipe == nullptr) way.pipe = pool.Take();
  return way.pipe != nullptr ? Fill(from, most) : Copy(from, most, left, scratch);
}

// The claim is for what is there, so that little of it is given back. An end of the stream is there
// too, and costs nothing.
size_t SplicePair::MayMove(int from, size_t most) {
  Way& way = ways_[Index(from)];
  const MonotonicTime now = MonotonicNow();
  if (way.claimed == 0) {
    int there = 0;
    if (ioctl(fd(from), FIONREAD, &there) != 0) there = 0;
    way.claimed = std::clamp<size_t>(static_cast<size_t>(std::max(there, 0)), 1, rate_->turn());
    way.place = rate_->Claim(way.claimed, now);
  }
  const Duration wait = rate_->WaitFor(way.place, now);
  if (wait == Duration::zero()) return std::min(way.claimed, most);
  pause_ = std::min(pause_, wait);
  return 0;
}

void SplicePair::GiveBack(Way& way) {
  if (way.claimed > 0) rate_->GiveBack(std::exchange(way.claimed, 0));
}

SplicePair::Step SplicePair::Fill(int from, size_t most) {
  End& source = ends_[Index(from)];
  Way& way = ways_[Index(from)];
  const ssize_t got = splice(source.socket.get(), nullptr, way.pipe->writer(), nullptr,
                             std::min(most, way.pipe->capacity()), kSpliceFlags);
  if (got == 0) return Finish(from);
  // The pipe is empty, so that EAGAIN speaks of the socket.
  if (got < 0) return Failed(source.readable);
  way.held = static_cast<uint32_t>(got);
  way.claimed -= std::min(way.claimed, static_cast<size_t>(got));
  return Step::kMoved;
}

SplicePair::Step SplicePair::Drain(int from, size_t& left) {
  End& sink = ends_[Index(1 - from)];
  Way& way = ways_[Index(from)];
  // Once its peer has said FIN the end is near: it goes along with the last bytes.
  const unsigned more = ends_[Index(from)].peer_finished ? SPLICE_F_MORE : 0;
  const ssize_t put = splice(way.pipe->reader(), nullptr, sink.socket.get(), nullptr,
                             std::min<size_t>(way.held, left), kSpliceFlags | more);
  if (put < 0) return Failed(sink.writable);
  if (put == 0) {  // there are bytes: this cannot be, and must not be tried for ever
    error_ = EIO;
    return Step::kBlocked;
  }
  way.held -= static_cast<uint32_t>(put);
  Count(from, static_cast<size_t>(put), left);
  return Step::kMoved;
}

SplicePair::Step SplicePair::Copy(int from, size_t most, size_t& left, absl::Span<char> scratch) {
  End& source = ends_[Index(from)];
  End& sink = ends_[Index(1 - from)];
  // Only what went out is taken, so that nothing has to be kept.
  const ssize_t seen = recv(source.socket.get(), scratch.data(), std::min(scratch.size(), most),
                            MSG_PEEK | MSG_DONTWAIT);
  if (seen == 0) return Finish(from);
  if (seen < 0) return Failed(source.readable);
  const ssize_t put = send(sink.socket.get(), scratch.data(), static_cast<size_t>(seen),
                           MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put < 0) return Failed(sink.writable);
  Count(from, static_cast<size_t>(put), left);
  Way& way = ways_[Index(from)];
  way.claimed -= std::min(way.claimed, static_cast<size_t>(put));
  // TCP does not copy with MSG_TRUNC; others ignore it.
  if (recv(source.socket.get(), scratch.data(), static_cast<size_t>(put),
           MSG_TRUNC | MSG_DONTWAIT) != put) {
    error_ = errno != 0 ? errno : EIO;
  }
  return Step::kMoved;
}

SplicePair::Step SplicePair::Failed(bool& ready) {
  if (errno == EINTR) return Step::kMoved;
  if (errno == EAGAIN) {
    ready = false;
  } else {
    error_ = errno;
  }
  return Step::kBlocked;
}

SplicePair::Step SplicePair::Finish(int from) {
  ways_[Index(from)].ended = true;
  GiveBack(ways_[Index(from)]);
  if (shutdown(ends_[Index(1 - from)].socket.get(), SHUT_WR) != 0) error_ = errno;
  return Step::kBlocked;
}

void SplicePair::Count(int from, size_t bytes, size_t& left) {
  left -= bytes;
  counts_->moved[Index(from)].fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace culvert::net
