// Bytes that wait for room in a descriptor, and the completions that wait for them. Private to
// src/net.
#pragma once

#include <sys/uio.h>

#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "net/byte_stream.h"

namespace culvert::net {

// Confined to one thread. Runs no callback itself: what is done is taken by the caller, who runs
// the completions outside of the user's calls.
class WriteQueue {
 public:
  // Most bytes that one Flush hands over: other connections want their turn too.
  static constexpr size_t kMaxFlush = size_t{256} * 1024;

  // What is queued behind the bytes that are handed over.
  enum class Next { kNothingOrBytes, kEnd };
  // As writev, but returns -errno for a failure.
  using Gather = absl::FunctionRef<ssize_t(const iovec* parts, int count, Next next)>;
  // Ends the direction; 0 or an errno.
  using Finish = absl::FunctionRef<int()>;

  struct Done {
    ByteStream::Completion completion;
    absl::Status status;
  };

  void Push(Bytes bytes, ByteStream::Completion done);
  // The end, after all that was pushed; nothing may be pushed behind it.
  void PushFinish(ByteStream::Completion done);

  // Hands over until the descriptor is full, the queue is empty or kMaxFlush is reached. 0, or the
  // errno that ends all writing.
  int Flush(Gather gather, Finish finish);
  // The same by hand, for a descriptor that takes its time: the next bytes (nullptr: none before
  // the end or at all), and what became of them. An empty front is advanced over by 0.
  const Bytes* Front() const;
  void Advance(size_t written);

  // Everything still queued is done, with `status`.
  void Abandon(const absl::Status& status);

  bool is_empty() const { return queued_.empty(); }
  // Whether the end was handed over.
  bool has_finished() const { return finishing_ && queued_.empty(); }
  bool has_done() const { return !done_.empty(); }
  // In the order of the pushes.
  std::vector<Done> TakeDone() { return std::exchange(done_, {}); }

 private:
  enum class Kind { kBytes, kFinish };
  struct Entry {
    Kind kind;
    Bytes rest;
    ByteStream::Completion completion;
  };
  // The next bytes as an array for writev; their number.
  int Collect(iovec* parts, int most) const;
  // `count` entries from the front are done.
  void Retire(size_t count, const absl::Status& status);

  std::vector<Entry> queued_;  // vectors, not deques: an idle one holds no memory
  std::vector<Done> done_;
  bool finishing_ = false;
};

}  // namespace culvert::net
