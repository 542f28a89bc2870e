#include "forwarder/broker_watch.h"

namespace culvert::forwarder {
namespace {

// UNAVAILABLE without a code of the tunnel's is gRPC's own; the broker and the agent give one.
bool IsUnreachable(const ChannelReport& report) {
  return report.status == absl::UnavailableError(report.status.message());
}

}  // namespace

BrokerWatch::News BrokerWatch::OnOpened() {
  if (!told_away_) return News::kNone;
  told_away_.reset();
  return News::kBack;
}

BrokerWatch::News BrokerWatch::OnEnd(const ChannelReport& report, MonotonicTime now) {
  if (report.channel_id != 0) return News::kNone;  // it was open: nothing new
  if (!IsUnreachable(report)) return OnOpened();   // a refusal is an answer too
  if (told_away_ && now - *told_away_ < kQuietTime) return News::kNone;
  told_away_ = now;
  return News::kAway;
}

}  // namespace culvert::forwarder
