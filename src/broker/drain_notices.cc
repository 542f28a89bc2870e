#include "broker/drain_notices.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace culvert::broker {

void DrainNotices::Start(std::vector<Tell> whom, Duration grace) {
  whom_ = std::move(whom);
  began_ = loop_.Now();
  deadline_ = began_ + grace;
  spread_ = grace / 4;
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
  const Duration gone = loop_.Now() - began_;
  // What is due by the next step.
  const double share =
      spread_ <= kStep ? 1 : std::min(1.0, ToSeconds(gone + kStep) / ToSeconds(spread_));
  const auto due = static_cast<size_t>(share * static_cast<double>(whom_.size()) + 0.5);
  const culvert::v1::Notice notice = Now();
  while (told_ < std::min(due, whom_.size())) std::move(whom_[told_++])(notice);
  if (told_ < whom_.size()) timer_.Start(kStep, [this] { TellSome(); });
}

}  // namespace culvert::broker
