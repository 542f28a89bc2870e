// What the network and the broker say to a consumer's channel, whether it has a path or not.
#include "absl/random/random.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/consumer_resume.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

// A try that is younger goes on when another one seems worth it.
constexpr Duration kYoungTry = std::chrono::seconds(1);

}  // namespace

void ConsumerResume::TryNow() {
  const MonotonicTime now = MonotonicNow();
  // The network was away: what TCP has under way on the path may wait for long.
  if (!place_ && is_stitched()) {
    driver_.SuspendUnlessAnswered(absl::UnavailableError("the network was away"));
    return;
  }
  if (joining_ || moving_) return;
  if (!place_ || now < not_before_ || (stream_ != nullptr && now - tried_at_ < kYoungTry)) return;
  // A broker may hold the try while the provider is away. If it does not answer, HandleDead
  // follows.
  if (stream_ != nullptr && core_.connectivity().Ask(broker_, generation_)) return;
  Try();
}

void ConsumerResume::HandleDead(size_t broker, const std::string& why) {
  const bool trying = (stream_ != nullptr || joining_) && broker_ == broker;
  if (!place_ && path_broker_ == broker) {
    driver_.SuspendUnlessHeard(absl::UnavailableError(why));
    // A move under way leads to the same broker: it is not waited for.
    if (trying && moving_) StayOnStream();
  } else if (place_ && trying) {
    // On a connection of its own the same broker may well answer.
    stream_.reset();
    connection_.reset();
    joining_.reset();
    moving_ = false;
    last_failure_ = absl::UnavailableError(why);
    asked_->NoteUnreachable(broker, MonotonicNow());
    TryAfter(core_.connectivity().RetryWait(MonotonicNow() - lost_at_));
  }
}

void ConsumerResume::OnControlMessage(const Bytes& message) {
  pb::ConnectResponse response;
  if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
  if (response.has_notice()) HandleNotice(response.notice());
}

void ConsumerResume::HandleNotice(const culvert::v1::Notice& notice) {
  if (notice.has_cut() && notice.cut().channel_id() == driver_.channel().id()) {
    Cut(ErrorStatus(ErrorCodeFromNumber(static_cast<uint32_t>(notice.cut().code())),
                    notice.cut().message()));
  } else if (notice.has_drain() && !place_) {
    HandleDrain(notice.drain());
  }
}

void ConsumerResume::HandleDrain(size_t broker, uint64_t connection,
                                 const culvert::v1::Notice::Drain& drain) {
  const bool same = path_broker_ == broker && generation_ <= connection;
  if (!place_ && same) HandleDrain(drain);
}

// To another broker at a time of its own, so that not all channels come there at once. If there is
// none, at once: the sooner all have left, the sooner there is another one in this one's place. A
// legacy provider does better to stay until the broker goes.
void ConsumerResume::HandleDrain(const culvert::v1::Notice::Drain& drain) {
  if (!can_resume() || driver_.channel().legacy() || move_.is_set()) return;
  const bool others = core_.brokers().size() > 1;
  const Duration within = std::chrono::milliseconds(drain.deadline_ms()) / 2;
  const Duration wait(absl::Uniform<Duration::rep>(absl::InsecureBitGen(), 0, within.count() + 1));
  move_.Start(others ? wait : Duration::zero(),
              [this, next = core_.brokers().NextOf(path_broker_, drain.brokers())] { Move(next); });
}

void ConsumerResume::Move(size_t next) {
  core_.connectivity().Leave(path_broker_, generation_);
  broker_ = next;
  driver_.Suspend(absl::UnavailableError("the broker is about to stop"));
}

}  // namespace culvert
