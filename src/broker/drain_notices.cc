#include "broker/drain_notices.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace culvert::broker {

void DrainNotices::Start(std::vector<Tell> whom, Duration grace) {
  whom_ = std::move(whom);
  deadline_ = loop_.Now() + grace;
  timer_.Start(Duration::zero(), [this] { TellSome(); });
}

culvert::v1::Notice DrainNotices::Now() const {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - loop_.Now()).count();
  culvert::v1::Notice notice;
  notice.mutable_drain()->set_deadline_ms(
      static_cast<uint32_t>(std::clamp<int64_t>(left, 0, std::numeric_limits<uint32_t>::max())));
  return notice;
}

void DrainNotices::TellSome() {
  const size_t due = std::min(told_ + kAtOnce, whom_.size());
  const culvert::v1::Notice notice = Now();
  while (told_ < due) std::move(whom_[told_++])(notice);
  if (told_ < whom_.size()) timer_.Start(Duration::zero(), [this] { TellSome(); });
}

}  // namespace culvert::broker
