#include "net/splice_loop.h"

#include <pthread.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "net/deferred.h"
#include "net/fd_poll.h"
#include "net/timer.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

constexpr int kMostEvents = 256;
// In a turn of the loop, which also has to join and to cut.
constexpr int kMostShares = 8;
// Moved in one turn of a pair: it may wait for those that move less.
constexpr uint64_t kMuch = uint64_t{32} * 1024;

// splice(2) has no MSG_NOSIGNAL.
void BlockSigpipe() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

// All sockets are in one epoll of their own, inside libuv's: it is told of changes only (EPOLLET),
// which libuv cannot ask for, so that a pair costs no system call but those that move bytes, and a
// poll handle less per socket.
class SpliceLoop::Core {
 public:
  Core(EventLoop& loop, PipeBudget& budget, OnEnd on_end)
      : loop_(loop),
        pool_(budget),
        on_end_(std::move(on_end)),
        poll_(std::in_place, loop, [this](unsigned) { Turn(); }),
        again_(loop, [this] { Turn(); }),
        pause_timer_(loop) {}

  ~Core() {
    for (auto& [id, entry] : pairs_) Unwatch(entry->pair);
    poll_.reset();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  absl::Status Open() {
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.is_open()) return ErrnoStatus(errno, "epoll of a splice loop");
    CULVERT_RETURN_IF_ERROR(poll_->Open(epoll_.get()));
    poll_->Watch(FdPoll::kReadable);
    return absl::OkStatus();
  }

  void Add(uint64_t id, std::array<UniqueFd, 2> sockets, std::shared_ptr<SpliceCounts> counts,
           std::shared_ptr<ByteRate> rate) {
    auto made = std::make_unique<Entry>(id, std::move(sockets), std::move(counts), std::move(rate));
    Entry* const entry = made.get();
    CULVERT_CHECK(pairs_.emplace(id, std::move(made)).second);
    if (const int error = Watch(entry)) End(entry, SpliceOutcome::kBroken, error);
  }

  void Cut(uint64_t id) {
    const auto found = pairs_.find(id);
    if (found == pairs_.end()) return;
    std::erase(heavy_, found->second.get());
    End(found->second.get(), SpliceOutcome::kCut, 0);
  }

 private:
  struct Entry;
  // What epoll remembers of a socket.
  struct Mark {
    Entry* entry;
    int side;
  };
  struct Entry {
    Entry(uint64_t id, std::array<UniqueFd, 2> sockets, std::shared_ptr<SpliceCounts> counts,
          std::shared_ptr<ByteRate> rate)
        : pair(id, std::move(sockets), std::move(counts), std::move(rate)) {}
    SplicePair pair;
    std::array<Mark, 2> marks{Mark{this, 0}, Mark{this, 1}};
    bool queued = false;                        // in light_ or heavy_
    bool has_much = false;                      // as of its last turn
    std::optional<MonotonicTime> paused_until;  // in paused_
  };

  // 0 or an errno.
  int Watch(Entry* entry) {
    for (Mark& mark : entry->marks) {
      epoll_event event{.events = SplicePair::kWatched, .data = {.ptr = &mark}};
      const int fd = entry->pair.fd(mark.side);
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return errno;
    }
    return 0;
  }

  // Not left to the closing of the socket: a child between fork and exec may have it, too.
  void Unwatch(SplicePair& pair) {
    for (int side : {0, 1}) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, pair.fd(side), nullptr);
  }

  // Who has little goes first, and after each that has much it is asked again who that is: so they
  // wait for one share of another's at most, however many there are that have much.
  void Turn() {
    for (int i = 0; i < kMostShares; ++i) {
      Collect();
      for (Entry* entry : std::exchange(light_, {})) RunPair(entry);
      if (heavy_.empty()) return AwaitPaused();
      Entry* const entry = heavy_.front();
      heavy_.pop_front();
      RunPair(entry);
    }
    if (!heavy_.empty()) again_.Schedule();
    AwaitPaused();
  }

  void Collect() {
    epoll_event events[kMostEvents];
    const int count = epoll_wait(epoll_.get(), events, kMostEvents, 0);
    for (int i = 0; i < count; ++i) {
      const Mark& mark = *static_cast<const Mark*>(events[i].data.ptr);
      mark.entry->pair.Note(mark.side, events[i].events);
      if (!mark.entry->queued) Enqueue(mark.entry);
    }
  }

  void Enqueue(Entry* entry) {
    entry->queued = true;
    if (entry->has_much) {
      heavy_.push_back(entry);
    } else {
      light_.push_back(entry);
    }
  }

  // Those whose time has come go as if there were news of their sockets.
  void HandlePauseOver() {
    const MonotonicTime now = MonotonicNow();
    while (!paused_.empty() && paused_.begin()->first <= now) {
      Entry* const entry = paused_.begin()->second;
      Unpause(entry);
      if (!entry->queued) Enqueue(entry);
    }
    Turn();
  }

  void AwaitPaused() {
    if (paused_.empty()) return;
    pause_timer_.Start(std::max(paused_.begin()->first - MonotonicNow(), Duration::zero()),
                       [this] { HandlePauseOver(); });
  }

  void Pause(Entry* entry) {
    entry->paused_until = MonotonicNow() + entry->pair.pause();
    paused_.emplace(*entry->paused_until, entry);
  }

  void Unpause(Entry* entry) {
    if (!entry->paused_until) return;
    paused_.erase({*entry->paused_until, entry});
    entry->paused_until.reset();
  }

  void RunPair(Entry* entry) {
    entry->queued = false;
    Unpause(entry);
    const uint64_t before = entry->pair.counts().total();
    const SplicePair::Turn turn = entry->pair.Run(pool_, loop_.scratch());
    if (turn == SplicePair::Turn::kEnded) {
      End(entry, entry->pair.outcome(), entry->pair.error());
      return;
    }
    entry->has_much = entry->pair.counts().total() - before >= kMuch;
    if (turn == SplicePair::Turn::kMore) Enqueue(entry);
    if (turn == SplicePair::Turn::kPaused) Pause(entry);
  }

  void End(Entry* entry, SpliceOutcome outcome, int error) {
    SplicePair& pair = entry->pair;
    const SpliceEnd end{pair.id(),
                        outcome,
                        error,
                        {pair.counts().moved[0].load(std::memory_order_relaxed),
                         pair.counts().moved[1].load(std::memory_order_relaxed)}};
    Unwatch(pair);
    Unpause(entry);
    pairs_.erase(end.id);  // closes the sockets: who hears of the end finds it done
    on_end_(end);
  }

  EventLoop& loop_;
  UniqueFd epoll_;
  PipePool pool_;
  const OnEnd on_end_;
  std::unordered_map<uint64_t, std::unique_ptr<Entry>> pairs_;
  std::vector<Entry*> light_;  // empty but during a turn
  std::deque<Entry*> heavy_;
  std::set<std::pair<MonotonicTime, Entry*>> paused_;  // by a limit of bytes a second
  std::optional<FdPoll> poll_;                         // goes before `epoll_`
  Deferred again_;
  Timer pause_timer_;
};

SpliceLoop::SpliceLoop() = default;

absl::StatusOr<std::unique_ptr<SpliceLoop>> SpliceLoop::Start(PipeBudget& budget, OnEnd on_end) {
  std::unique_ptr<SpliceLoop> made(new SpliceLoop);
  absl::Status opened;
  made->thread_.Run([&] {
    BlockSigpipe();
    pthread_setname_np(pthread_self(), "culvert-splice");
    made->core_ = std::make_unique<Core>(made->thread_.loop(), budget, std::move(on_end));
    opened = made->core_->Open();
  });
  if (!opened.ok()) return opened;
  return made;
}

SpliceLoop::~SpliceLoop() {
  thread_.Run([this] { core_.reset(); });
}

void SpliceLoop::Add(uint64_t id, std::array<UniqueFd, 2> sockets,
                     std::shared_ptr<SpliceCounts> counts, std::shared_ptr<ByteRate> rate) {
  thread_.loop().Post([core = core_.get(), id, sockets = std::move(sockets),
                       counts = std::move(counts), rate = std::move(rate)]() mutable {
    core->Add(id, std::move(sockets), std::move(counts), std::move(rate));
  });
}

void SpliceLoop::Cut(uint64_t id) {
  thread_.loop().Post([core = core_.get(), id] { core->Cut(id); });
}

}  // namespace culvert::net
