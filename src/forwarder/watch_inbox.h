// What the loop of a watch has for the thread that prints it. Used inside src/forwarder only.
#pragma once

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/unique_fd.h"

namespace culvert::forwarder {

// Any thread puts, one waits. Who puts bounds how much there is.
class WatchInbox {
 public:
  enum class Kind {
    kMessage,
    kEnd,         // of the stream
    kTime,        // the time is over
    kStop,        // the user has seen enough
    kReaderGone,  // nobody reads standard output any more
  };
  struct Item {
    Kind kind = Kind::kTime;
    Bytes message = {};
    absl::Status status = {};
  };

  // Once, first.
  absl::Status Open();
  void Put(Item item);
  // A stream is over: nothing of it is left for who waits for another one's.
  void DropStream();
  // From now on there is nothing but kStop.
  void Stop();

  // The next item, in their order; kTime after `most`, if it is given.
  Item Wait(std::optional<Duration> most = std::nullopt);

 private:
  std::optional<Item> Take();
  void Wake() const;

  net::UniqueFd wake_;  // an eventfd: readable while there is something
  Mutex mutex_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace culvert::forwarder
