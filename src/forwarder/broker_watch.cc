#include "forwarder/broker_watch.h"

#include "culvert/error_code.h"

namespace culvert::forwarder {
namespace {

// UNAVAILABLE without a code of the tunnel's is gRPC's own; the broker and the agent give one.
bool IsUnreachable(const absl::Status& status) {
  return status == absl::UnavailableError(status.message());
}

// Whether the broker, or the agent through it, has refused.
bool IsAnswer(const absl::Status& status) {
  switch (ErrorCodeOf(status)) {
    case ErrorCode::kReset:  // by the local application
    case ErrorCode::kShutdown:
    case ErrorCode::kTimeout:  // of the agent's dial, but also of the whole opening
    case ErrorCode::kBusy:     // of the broker or the agent, but also of the queue in front of both
    case ErrorCode::kUnspecified:
      return false;
    default:
      return !IsUnreachable(status);
  }
}

}  // namespace

BrokerWatch::News BrokerWatch::OnOpened() {
  if (!told_away_) return News::kNone;
  told_away_.reset();
  return News::kBack;
}

BrokerWatch::News BrokerWatch::OnEnd(const ChannelReport& report, MonotonicTime now) {
  if (report.channel_id != 0) return News::kNone;  // it was open: nothing new
  if (IsAnswer(report.status)) return OnOpened();
  if (!IsUnreachable(report.status)) return News::kNone;
  if (told_away_ && now - *told_away_ < kQuietTime) return News::kNone;
  told_away_ = now;
  return News::kAway;
}

}  // namespace culvert::forwarder
