#include "sdk/channel_driver.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/peer_words.h"

namespace culvert {

using tunnel::Channel;

ChannelDriver::ChannelDriver(net::EventLoop& loop, const Channel::Options& options,
                             ChannelShares& shares, std::unique_ptr<Endpoint> endpoint,
                             Owner& owner, Duration linger_time)
    : loop_(loop),
      busy_(shares.busy),
      channel_(options, shares.budget),
      securing_(nullptr),
      owner_(owner),
      tell_lost_(loop, [this] { TellLost(); }),
      timer_(loop),
      linger_(loop),
      doubt_(loop),
      linger_time_(linger_time),
      started_(MonotonicNow()),
      phase_(Phase::kOpen) {
  Attach(std::move(endpoint));
}

ChannelDriver::ChannelDriver(net::EventLoop& loop, const Channel::Options& options,
                             ChannelShares& shares, Securing& securing, Owner& owner)
    : loop_(loop),
      busy_(shares.busy),
      channel_(options, shares.budget),
      securing_(&securing),
      owner_(owner),
      tell_lost_(loop, [this] { TellLost(); }),
      timer_(loop),
      linger_(loop),
      doubt_(loop),
      linger_time_(kLingerTime),
      started_(MonotonicNow()),
      phase_(Phase::kSecuring) {}

void ChannelDriver::Attach(std::unique_ptr<Endpoint> endpoint) {
  endpoint_ = std::move(endpoint);
  alive_ = std::make_shared<ChannelDriver*>(this);
  attachment_.emplace(*endpoint_, *this);
}

void ChannelDriver::SendSecuring(Bytes message) {
  securing_messages_.push_back(std::move(message));
  Pump();
}

void ChannelDriver::Hold() {
  if (phase_ == Phase::kSecuring) phase_ = Phase::kHolding;
}

void ChannelDriver::Open(std::unique_ptr<Endpoint> endpoint,
                         std::unique_ptr<crypto::TlsRecords> records) {
  CULVERT_CHECK(phase_ == Phase::kSecuring || phase_ == Phase::kHolding);
  phase_ = Phase::kOpen;
  seal_ = ChannelSeal(std::move(records));
  Attach(std::move(endpoint));
}

ChannelDriver::~ChannelDriver() {
  alive_.reset();
  if (endpoint_ == nullptr) return;
  attachment_.reset();
  endpoint_->Close(ErrorStatus(ErrorCode::kShutdown, "program is ending"));
}

void ChannelDriver::Start(std::unique_ptr<tunnel::Path> path, uint64_t peer_window) {
  path_ = std::move(path);
  CULVERT_CHECK(channel_.Attach(1, 0, peer_window, MonotonicNow()).ok());
  Pump();
}

void ChannelDriver::Abort(const absl::Status& why) {
  channel_.Abort(ErrorCodeOf(why), std::string(MessageOf(why)), WordsForPeer(why));
  Pump();
}

// --- from the path ---

void ChannelDriver::OnPathMessage(tunnel::Message message) {
  const auto verdict = channel_.OnMessage(channel_.attempt(), std::move(message), MonotonicNow());
  if (verdict == Channel::PathVerdict::kBreakPath) {
    OnPathEnd(absl::DataLossError("the path lost a message"));
    return;
  }
  Pump();
}

void ChannelDriver::OnPathReady() { Pump(); }

// --- between the two ---

// Callbacks of the endpoint may come inside our calls to it: they only change state, the loop here
// acts on it.
void ChannelDriver::Pump() {
  if (pumping_) {
    pump_again_ = true;
    return;
  }
  pumping_ = true;
  do {
    pump_again_ = false;
    PumpOnce();
  } while (pump_again_);
  pumping_ = false;
  CheckEnd();
}

void ChannelDriver::PumpOnce() {
  PumpPath();
  PumpDelivery();
  SendResidue();
  PumpReading();
  PumpPath();
  ArmTimer();
}

void ChannelDriver::ArmTimer() {
  // What is due while the path takes nothing goes out when it does.
  const bool ready = path_ != nullptr && path_->ready();
  const std::optional<MonotonicTime> deadline = ready ? channel_.deadline() : std::nullopt;
  if (deadline == timer_at_) return;
  timer_at_ = deadline;
  if (!deadline) {
    timer_.Cancel();
    return;
  }
  timer_.Start(std::max(Duration::zero(), *deadline - MonotonicNow()), [this] {
    timer_at_.reset();
    Pump();
  });
}

void ChannelDriver::PumpPath() {
  while (path_ != nullptr && path_->ready()) {
    const std::optional<tunnel::Message> message = channel_.NextMessage(MonotonicNow());
    if (!message) break;
    path_->Send(*message);
  }
  if (path_ == nullptr) return;
  path_->SetReading(channel_.WantsMessages());
  path_->SetIdle(channel_.unacknowledged() == 0);
}

// --- the end ---

// Once both directions are done, or it is aborted, there is nothing more for the endpoint: it hears
// of the end before the peer has confirmed it.
void ChannelDriver::CheckEnd() {
  if (phase_ <= Phase::kOpen && channel_.local_done()) {
    phase_ = Phase::kLingering;
    StartLinger();
    CloseEndpoint();
  }
  if (phase_ == Phase::kLingering && channel_.state() == Channel::State::kEnded) {
    phase_ = Phase::kFinishing;
    if (path_ != nullptr) path_->Finish();
  }
  if (phase_ == Phase::kFinishing && path_ == nullptr) {
    phase_ = Phase::kDone;
    timer_.Cancel();
    linger_.Cancel();
    owner_.OnDriverDone(*this);
  }
}

void ChannelDriver::CloseEndpoint() {
  ended_ = MonotonicNow();
  const tunnel::Outcome& outcome = channel_.outcome();
  final_status_ = channel_.clean() ? absl::OkStatus() : ErrorStatus(outcome.code, outcome.message);
  residue_ = Bytes();
  alive_.reset();  // what it answers inside Close counts no more
  attachment_.reset();
  if (std::unique_ptr<Endpoint> endpoint = std::move(endpoint_)) {
    endpoint->Close(final_status_);
    loop_.Post([owned = std::move(endpoint)] {});  // it may be what called us
  }
  owner_.OnChannelEnded(*this);
}

ChannelReport ChannelDriver::Report() const {
  ChannelReport report;
  report.channel_id = channel_.id();
  report.status = final_status_;
  report.reason = final_status_.ok() ? "closed" : channel_.outcome().ToString();
  report.duration = (phase_ > Phase::kOpen ? ended_ : MonotonicNow()) - started_;
  report.bytes_sent = bytes_sent_;
  report.bytes_received = bytes_received_;
  report.resumes = resumes_;
  return report;
}

ChannelStatus ChannelDriver::Status() const {
  ChannelStatus status;
  status.channel_id = channel_.id();
  status.age = MonotonicNow() - started_;
  if (const auto since = suspended_since()) status.suspended = MonotonicNow() - *since;
  status.resumes = resumes_;
  status.round_trip = channel_.round_trip();
  status.send_window = channel_.send_window();
  status.receive_window = channel_.receive_window();
  status.unacknowledged = channel_.unacknowledged();
  status.bytes_sent = bytes_sent_;
  status.bytes_received = bytes_received_;
  return status;
}

}  // namespace culvert
