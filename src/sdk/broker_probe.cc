#include "sdk/broker_probe.h"

#include <algorithm>
#include <utility>

#include "base/target.h"

namespace culvert {
namespace {

// A name that cannot be resolved, or whose addresses do not answer, is asked for again this often.
constexpr Duration kResolveAgain = std::chrono::seconds(5);

}  // namespace

BrokerProbe::BrokerProbe(net::EventLoop& loop, const std::string& address,
                         std::function<void(const Success&)> on_success)
    : loop_(loop), on_success_(std::move(on_success)), timer_(loop) {
  const absl::StatusOr<Target> target = ParseTarget(address);
  if (!target.ok()) return;  // it has been checked: BrokerAddresses
  host_ = target->host;
  port_ = target->port;
  const auto literal = net::Address::FromLiteral(host_, port_);
  is_name_ = !literal.ok();
  if (literal.ok()) addresses_.push_back(*literal);
}

BrokerProbe::~BrokerProbe() = default;

Duration BrokerProbe::IntervalAfter(Duration away) {
  return std::clamp(away / 40, Duration(kInterval), Duration(kMaxInterval));
}

void BrokerProbe::SetWanted(bool wanted) {
  if (wanted == wanted_) return;
  wanted_ = wanted;
  if (!wanted) {
    timer_.Cancel();
    attempts_.clear();
    return;
  }
  failed_ = false;
  after_success_ = Duration::zero();
  away_since_ = loop_.Now();
  Next();
}

void BrokerProbe::ProbeNow() {
  if (wanted_) Next();
}

void BrokerProbe::Next() {
  Begin();
  Duration interval = std::max(IntervalAfter(loop_.Now() - away_since_), after_success_);
  // Those who lost the same broker at the same time do not come at the same time.
  interval =
      Duration(absl::Uniform<Duration::rep>(random_, interval.count() * 4 / 5, interval.count()));
  timer_.Start(interval, [this] { Next(); });
}

void BrokerProbe::Begin() {
  const std::vector<net::Address>& addresses = Addresses();
  if (addresses.empty()) return;
  if (attempts_.size() >= kMostUnderWay) attempts_.pop_front();
  attempts_.push_back({MonotonicNow(), nullptr});
  const auto attempt = std::prev(attempts_.end());
  attempt->dial = std::make_unique<net::Dial>(
      loop_, addresses, kLimit,
      [this, attempt](absl::StatusOr<std::unique_ptr<net::TcpStream>> result) {
        HandleDone(attempt, std::move(result));
      });
}

void BrokerProbe::HandleDone(std::list<Attempt>::iterator attempt,
                             absl::StatusOr<std::unique_ptr<net::TcpStream>> result) {
  const MonotonicTime now = MonotonicNow();
  if (!result.ok()) {
    attempts_.erase(attempt);
    failed_ = true;
    after_success_ = Duration::zero();
    return;
  }
  const Duration took = now - attempt->begun;
  const bool held_up = now - attempts_.front().begun > times_.limit();
  const Success success{attempt->begun, took, (*result)->PeerName(), failed_ || held_up,
                        times_.usual().value_or(took)};
  times_.Note(took);
  attempts_.erase(attempts_.begin(), std::next(attempt));  // what began before says nothing new
  failed_ = false;
  away_since_ = loop_.Now();
  after_success_ = std::clamp(after_success_ * 2, Duration(kInterval), Duration(kMaxInterval));
  on_success_(success);
}

const std::vector<net::Address>& BrokerProbe::Addresses() {
  const bool fresh = resolved_ && loop_.Now() - *resolved_ < kResolveAgain;
  const bool doubtful = addresses_.empty() || (wanted_ && failed_);
  if (is_name_ && doubtful && !fresh && !resolution_) Resolve();
  return addresses_;
}

void BrokerProbe::Resolve() {
  resolved_ = loop_.Now();
  resolution_.emplace(loop_, host_, port_,
                      [this](absl::StatusOr<std::vector<net::Address>> addresses) {
                        resolution_.reset();
                        // An answer that does not come leaves what was known.
                        if (addresses.ok()) addresses_ = *std::move(addresses);
                      });
}

}  // namespace culvert
