#include "net/dialer.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "net/deferred.h"
#include "net/fd_poll.h"
#include "net/socket_options.h"
#include "net/timer.h"
#include "net/unique_fd.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

// RFC 8305 §8, "Connection Attempt Delay".
constexpr Duration kAttemptDelay = std::chrono::milliseconds(250);

// RFC 8305 §4: families take turns, beginning with that of the first address.
std::vector<Address> Interleave(const std::vector<Address>& addresses) {
  std::vector<Address> first;
  std::vector<Address> second;
  for (const Address& address : addresses) {
    (address.is_ipv6() == addresses.front().is_ipv6() ? first : second).push_back(address);
  }
  std::vector<Address> turns;
  for (size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) turns.push_back(first[i]);
    if (i < second.size()) turns.push_back(second[i]);
  }
  return turns;
}

// A port of the ephemeral range on this machine where nobody listens can be given to the dialling
// socket itself, which then is connected to itself.
bool IsConnectedToItself(int fd, const Address& peer) {
  const auto local = Address::OfSocket(fd);
  return local.ok() && *local == peer;
}

// Whether a connect under way has come to its end, which on this machine it has at once.
bool HasOutcome(int fd) {
  pollfd state{fd, POLLOUT, 0};
  return poll(&state, 1, 0) == 1;
}

}  // namespace

struct Dial::Attempt {
  size_t index;  // of its address
  UniqueFd fd;
  FdPoll poll;  // after `fd`: is gone before that is closed
};

// Every handler ends with Finish or nothing, because Finish may destroy the State.
class Dial::State {
 public:
  State(EventLoop& loop, std::vector<Address> addresses, Duration limit, Callback callback)
      : loop_(loop),
        addresses_(std::move(addresses)),
        callback_(std::move(callback)),
        begin_(loop, [this] { HandleNext(); }),
        next_(loop),
        deadline_(loop) {
    begin_.Schedule();
    deadline_.Start(limit, [this] { HandleDeadline(); });
  }

 private:
  void HandleNext() {
    while (next_index_ < addresses_.size()) {
      const size_t index = next_index_++;
      absl::StatusOr<std::unique_ptr<TcpStream>> started = Start(index);
      if (started.ok()) {
        if (*started != nullptr) {
          Finish(std::move(started));
          return;
        }
        if (next_index_ < addresses_.size()) {
          next_.Start(kAttemptDelay, [this] { HandleNext(); });
        }
        return;
      }
      Note(index, started.status());
    }
    if (attempts_.empty()) Finish(AllFailed());
  }

  // Begins to connect. Null: the outcome comes through the poll.
  absl::StatusOr<std::unique_ptr<TcpStream>> Start(size_t index) {
    const Address& address = addresses_[index];
    if (address.is_undialable()) {
      return absl::InvalidArgumentError("not an address that can be dialled");
    }
    UniqueFd fd(socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) return ErrnoStatus(errno);
    if (connect(fd.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS) {
      return ErrnoStatus(errno);
    }
    if (HasOutcome(fd.get())) return Adopt(index, std::move(fd));
    std::unique_ptr<Attempt> attempt(new Attempt{
        index, std::move(fd), FdPoll(loop_, [this, index](unsigned) { HandleOutcome(index); })});
    CULVERT_RETURN_IF_ERROR(attempt->poll.Open(attempt->fd.get()));
    attempt->poll.Watch(FdPoll::kWritable);
    attempts_.push_back(std::move(attempt));
    return nullptr;
  }

  void HandleOutcome(size_t index) {
    const auto it = std::find_if(attempts_.begin(), attempts_.end(),
                                 [index](const auto& attempt) { return attempt->index == index; });
    UniqueFd fd = std::move((*it)->fd);
    attempts_.erase(it);  // with its poll: a descriptor is watched by one only
    absl::StatusOr<std::unique_ptr<TcpStream>> stream = Adopt(index, std::move(fd));
    if (stream.ok()) {
      Finish(std::move(stream));
      return;
    }
    Note(index, stream.status());
    next_.Cancel();
    HandleNext();
  }

  absl::StatusOr<std::unique_ptr<TcpStream>> Adopt(size_t index, UniqueFd fd) {
    const Address& peer = addresses_[index];
    if (const int error = TakeSocketError(fd.get())) return ErrnoStatus(error);
    if (IsConnectedToItself(fd.get(), peer)) return ErrnoStatus(ECONNREFUSED);
    return TcpStream::FromDialledFd(loop_, fd.release(), peer);
  }

  void HandleDeadline() {
    Finish(
        StatusWithErrno(absl::StatusCode::kDeadlineExceeded, Context() + ": timed out", ETIMEDOUT));
  }

  void Note(size_t index, const absl::Status& failure) {
    if (index == 0) first_failure_ = failure;
  }

  std::string Context() const {
    const std::string first = addresses_.front().ToString();
    if (addresses_.size() == 1) return "dial " + first;
    return fmt::format("dial {} (and {} more)", first, addresses_.size() - 1);
  }

  absl::Status AllFailed() const {
    if (addresses_.empty()) return absl::InvalidArgumentError("dial: no address");
    absl::Status status = Annotate(first_failure_, Context());
    const auto error_number = ErrnoOf(first_failure_);
    if (!error_number) return status;
    return StatusWithErrno(status.code(), MessageOf(status), *error_number);
  }

  void Finish(absl::StatusOr<std::unique_ptr<TcpStream>> result) {
    attempts_.clear();
    next_.Cancel();
    deadline_.Cancel();
    Callback callback = std::move(callback_);
    std::move(callback)(std::move(result));  // may destroy this
  }

  EventLoop& loop_;
  const std::vector<Address> addresses_;
  Callback callback_;
  size_t next_index_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  absl::Status first_failure_;
  Deferred begin_;
  Timer next_;
  Timer deadline_;
};

Dial::Dial(EventLoop& loop, const std::vector<Address>& addresses, Duration limit,
           Callback callback)
    : state_(std::make_unique<State>(loop, Interleave(addresses), limit, std::move(callback))) {}

Dial::~Dial() = default;

DialError DialErrorOf(const absl::Status& status) {
  switch (ErrnoOf(status).value_or(0)) {
    case ECONNREFUSED:
      return DialError::kRefused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return DialError::kUnreachable;
    case ETIMEDOUT:
      return DialError::kTimeout;
    default:
      return absl::IsDeadlineExceeded(status) ? DialError::kTimeout : DialError::kOther;
  }
}

}  // namespace culvert::net
