// Two sockets that are joined: what comes out of one goes into the other, and nobody looks at it.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "base/clock.h"
#include "net/byte_rate.h"
#include "net/pipe_pool.h"
#include "net/unique_fd.h"

namespace culvert::net {

// Bytes that came from each of the two sockets and went into the other. Any thread.
struct SpliceCounts {
  std::array<std::atomic<uint64_t>, 2> moved{};

  uint64_t total() const {
    return moved[0].load(std::memory_order_relaxed) + moved[1].load(std::memory_order_relaxed);
  }
};

enum class SpliceOutcome {
  kFinished,  // both directions ended in order, and so did both sockets
  kReset,     // one end was reset, and so was the other
  kBroken,    // the same after another error: a time-out, no memory
  kCut,       // both were reset because somebody asked for it
};

// One pair. Ends are TCP as TCP has them: EOF of one becomes the end of the other's opposite
// direction when all before it is written, an error or reset of one closes both with RST. That also
// happens when it is destroyed, and by the end of the process. Bytes are in the kernel all the
// time: at most one pipe per direction, and what is not moved yet waits in the socket.
//
// Readiness is told to it as epoll has it with EPOLLET, once per change. It remembers it, until a
// call finds nothing to do; so it sees a reset whether it reads or not, and what is watched never
// changes. Confined to one thread.
class SplicePair {
 public:
  // Per direction and turn: nobody waits longer because another has much.
  static constexpr size_t kMostPerTurn = size_t{256} * 1024;
  // What is to be watched, with EPOLLET.
  static constexpr uint32_t kWatched = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

  // Stream sockets, non-blocking. Sets their options. `rate` may be null: then nothing is limited.
  SplicePair(uint64_t id, std::array<UniqueFd, 2> sockets, std::shared_ptr<SpliceCounts> counts,
             std::shared_ptr<ByteRate> rate = nullptr);
  ~SplicePair();
  SplicePair(const SplicePair&) = delete;
  SplicePair& operator=(const SplicePair&) = delete;

  uint64_t id() const { return id_; }
  int fd(int side) const { return ends_[Index(side)].socket.get(); }
  const SpliceCounts& counts() const { return *counts_; }

  // What epoll says of `side`.
  void Note(int side, uint32_t events);

  enum class Turn {
    kIdle,    // nothing to do until Note
    kMore,    // had its share of this turn
    kPaused,  // may not before pause() is over: there is a limit of bytes a second
    kEnded,   // see outcome(); to be destroyed
  };
  // Moves what there is. `scratch` is for copying where there is no pipe.
  Turn Run(PipePool& pool, absl::Span<char> scratch);

  // After kPaused.
  Duration pause() const { return pause_; }
  // After kEnded.
  SpliceOutcome outcome() const;
  int error() const { return error_; }

 private:
  enum class Step { kMoved, kBlocked, kPaused };
  struct End {
    UniqueFd socket;
    bool readable = false;
    bool writable = false;
    bool peer_finished = false;
  };
  // From the end of the same index to the other.
  struct Way {
    std::unique_ptr<Pipe> pipe;
    uint32_t held = 0;  // bytes in the pipe
    bool ended = false;
    size_t claimed = 0;  // of the rate, and not moved
    ByteRate::Place place = 0;
  };
  static constexpr size_t Index(int side) { return static_cast<size_t>(side); }

  // Never kEnded.
  Turn Move(int from, PipePool& pool, absl::Span<char> scratch);
  Step Advance(int from, size_t& left, PipePool& pool, absl::Span<char> scratch);
  // As many of `most` as may be moved now; 0: see pause().
  size_t MayMove(int from, size_t most);
  void GiveBack(Way& way);
  Step Fill(int from, size_t most);
  Step Drain(int from, size_t& left);
  Step Copy(int from, size_t most, size_t& left, absl::Span<char> scratch);
  // What to make of a call that returned -1.
  Step Failed(bool& ready);
  Step Finish(int from);
  void Count(int from, size_t bytes, size_t& left);

  const uint64_t id_;
  std::array<End, 2> ends_;
  std::array<Way, 2> ways_;
  int error_ = 0;
  const std::shared_ptr<SpliceCounts> counts_;
  const std::shared_ptr<ByteRate> rate_;
  Duration pause_{0};
};

}  // namespace culvert::net
