#include "forwarder/watch_inbox.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "base/status.h"

namespace culvert::forwarder {

absl::Status WatchInbox::Open() {
  wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wake_.is_open()) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("eventfd: {}", std::generic_category().message(errno)));
}

void WatchInbox::Wake() const {
  eventfd_write(wake_.get(), 1);  // fails only where it is readable already
}

void WatchInbox::Put(Item item) {
  {
    const MutexLock lock(mutex_);
    items_.push_back(std::move(item));
  }
  Wake();
}

void WatchInbox::DropStream() {
  const MutexLock lock(mutex_);
  items_.clear();
}

void WatchInbox::Stop() {
  {
    const MutexLock lock(mutex_);
    is_stopped_ = true;
  }
  Wake();
}

std::optional<WatchInbox::Item> WatchInbox::Take() {
  const MutexLock lock(mutex_);
  if (is_stopped_) return Item{Kind::kStop};
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

WatchInbox::Item WatchInbox::Wait(std::optional<Duration> most) {
  const MonotonicTime end = MonotonicNow() + most.value_or(Duration::zero());
  while (true) {
    if (std::optional<Item> item = Take()) return *std::move(item);
    int left = -1;
    if (most) {
      const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end - MonotonicNow());
      if (rest.count() <= 0) return Item{Kind::kTime};
      left = static_cast<int>(std::min<int64_t>(rest.count(), 60'000));
    }
    // Standard output is asked for nothing but its end, which comes without being asked for.
    std::array<pollfd, 2> waited = {{{wake_.get(), POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
    if (poll(waited.data(), waited.size(), left) <= 0) continue;
    if ((waited[1].revents & (POLLERR | POLLHUP)) != 0) return Item{Kind::kReaderGone};
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
  }
}

}  // namespace culvert::forwarder
