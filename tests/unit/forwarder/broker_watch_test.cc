#include "forwarder/broker_watch.h"

#include "culvert/error_code.h"
#include "tests/support/catch.h"

namespace culvert::forwarder {
namespace {

using News = BrokerWatch::News;

ChannelReport Failed(const absl::Status& status) {
  ChannelReport report;
  report.status = status;
  return report;
}

TEST_CASE("BrokerWatch tells once that the broker is away, and once that it is back",
          "[broker_watch]") {
  const ChannelReport away = Failed(absl::UnavailableError("broker: connection refused"));
  const MonotonicTime start{};
  BrokerWatch watch;
  CHECK(watch.OnOpened() == News::kNone);
  CHECK(watch.OnEnd(away, start) == News::kAway);
  CHECK(watch.OnEnd(away, start + std::chrono::seconds(59)) == News::kNone);
  CHECK(watch.OnEnd(away, start + BrokerWatch::kQuietTime) == News::kAway);
  CHECK(watch.OnOpened() == News::kBack);
  CHECK(watch.OnOpened() == News::kNone);
  CHECK(watch.OnEnd(away, start + BrokerWatch::kQuietTime) == News::kAway);
}

TEST_CASE("BrokerWatch takes a refusal for an answer", "[broker_watch]") {
  BrokerWatch watch;
  const ChannelReport refused = Failed(ErrorStatus(ErrorCode::kUnreachable, "no route"));
  const ChannelReport unknown = Failed(ErrorStatus(ErrorCode::kUnknownProvider, "unknown"));
  CHECK(watch.OnEnd(refused, {}) == News::kNone);
  CHECK(watch.OnEnd(Failed(absl::UnavailableError("broker: no")), {}) == News::kAway);
  CHECK(watch.OnEnd(unknown, {}) == News::kBack);
}

TEST_CASE("BrokerWatch does not take what ends an opening here for an answer", "[broker_watch]") {
  BrokerWatch watch;
  CHECK(watch.OnEnd(Failed(absl::UnavailableError("broker: no")), {}) == News::kAway);
  for (const absl::Status& own :
       {ErrorStatus(ErrorCode::kReset, "connection reset by peer"),
        ErrorStatus(ErrorCode::kTimeout, "not open within 10.0 s"),
        ErrorStatus(ErrorCode::kBusy, "too many openings under way to the same target"),
        ErrorStatus(ErrorCode::kShutdown, "program is ending"), absl::CancelledError("ended")}) {
    CHECK(watch.OnEnd(Failed(own), {}) == News::kNone);
  }
  CHECK(watch.OnOpened() == News::kBack);
}

TEST_CASE("BrokerWatch learns nothing from the end of a channel that was open", "[broker_watch]") {
  BrokerWatch watch;
  ChannelReport lost = Failed(absl::UnavailableError("path lost"));
  lost.channel_id = 1;
  CHECK(watch.OnEnd(lost, {}) == News::kNone);
  CHECK(watch.OnEnd(Failed(absl::UnavailableError("broker: no")), {}) == News::kAway);
  CHECK(watch.OnEnd(lost, {}) == News::kNone);
  CHECK(watch.OnOpened() == News::kBack);
}

}  // namespace
}  // namespace culvert::forwarder
