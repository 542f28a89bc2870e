#include "sdk/channel_driver.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {

using tunnel::Channel;

template <typename Handler>
auto ChannelDriver::Guard(Handler handler) {
  return [alive = std::weak_ptr<ChannelDriver*>(alive_),
          handler = std::move(handler)](auto argument) mutable {
    if (alive.lock() != nullptr) handler(std::move(argument));
  };
}

ChannelDriver::ChannelDriver(net::EventLoop& loop, const Channel::Options& options,
                             tunnel::MemoryBudget& budget, std::unique_ptr<Endpoint> endpoint,
                             Owner& owner, Duration linger_time)
    : loop_(loop),
      channel_(options, budget),
      endpoint_(std::move(endpoint)),
      owner_(owner),
      timer_(loop),
      linger_(loop),
      linger_time_(linger_time),
      started_(MonotonicNow()),
      alive_(std::make_shared<ChannelDriver*>(this)) {
  attachment_.emplace(*endpoint_, *this);
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
  channel_.Abort(ErrorCodeOf(why), std::string(MessageOf(why)));
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

void ChannelDriver::OnPathEnd(absl::Status why) {
  path_.reset();
  channel_.Detach();
  if (channel_.state() != Channel::State::kEnded) {
    // ABORTED is a legacy peer that left without Close. Everything else is a lost path, and a
    // channel that cannot go on is reset at both ends, never ended as if it were complete.
    const ErrorCode code = absl::IsAborted(why) ? ErrorCode::kReset : ErrorCode::kPathLost;
    channel_.GiveUp(code, std::string(MessageOf(why)));
  }
  Pump();
}

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
  if (path_ != nullptr) path_->SetReading(channel_.WantsMessages());
}

void ChannelDriver::PumpDelivery() {
  if (delivering_ || endpoint_ == nullptr) return;
  std::optional<Channel::Delivery> delivery = channel_.NextDelivery(MonotonicNow());
  if (!delivery) return;
  delivering_ = true;
  delivering_end_ = delivery->end;
  if (delivery->bytes.empty()) {
    HandleTaken(absl::OkStatus());
  } else {
    endpoint_->Send(std::move(delivery->bytes),
                    Guard([this](const absl::Status& status) { HandleTaken(status); }));
  }
}

void ChannelDriver::HandleTaken(const absl::Status& status) {
  if (!status.ok() || !delivering_end_) {
    HandleEndTaken(status);
    return;
  }
  if (endpoint_ == nullptr) return;
  endpoint_->SendEnd(Guard([this](const absl::Status& ended) { HandleEndTaken(ended); }));
}

void ChannelDriver::HandleEndTaken(const absl::Status& status) {
  delivering_ = false;
  if (status.ok()) {
    channel_.Delivered(MonotonicNow());
  } else {
    channel_.Abort(ErrorCodeOf(status), std::string(MessageOf(status)));
  }
  Pump();
}

void ChannelDriver::PumpReading() {
  if (receiving_ || endpoint_ == nullptr || ending_ != Ending::kNo || !residue_.empty()) return;
  if (channel_.SendRoom() == 0) return;
  receiving_ = true;
  endpoint_->Recv(Guard([this](absl::StatusOr<Chunk> chunk) { HandleReceived(std::move(chunk)); }));
}

void ChannelDriver::HandleReceived(absl::StatusOr<Chunk> chunk) {
  receiving_ = false;
  if (!chunk.ok()) {
    Abort(chunk.status());
    return;
  }
  residue_ = std::move(chunk->bytes);
  if (chunk->kind == Chunk::Kind::kEndOfStream) ending_ = std::max(ending_, Ending::kSending);
  if (chunk->kind == Chunk::Kind::kClose) ending_ = Ending::kBoth;
  Pump();
}

void ChannelDriver::OnEndpointStop(absl::Status why) {
  if (!why.ok()) {
    Abort(why);
    return;
  }
  ending_ = Ending::kBoth;
  Pump();
}

void ChannelDriver::SendResidue() {
  while (!residue_.empty()) {
    const size_t room = std::min(channel_.SendRoom(), residue_.size());
    if (room == 0) return;
    channel_.Send(residue_.Slice(0, room));
    residue_ = residue_.Slice(room);
  }
  if (ending_ == Ending::kSending) channel_.FinishSending();
  if (ending_ == Ending::kBoth) channel_.Finish();
}

// --- the end ---

// Once both directions are done, or it is aborted, there is nothing more for the endpoint: it hears
// of the end before the peer has confirmed it.
void ChannelDriver::CheckEnd() {
  if (phase_ == Phase::kOpen && channel_.local_done()) {
    phase_ = Phase::kLingering;
    linger_.Start(linger_time_, [this] {
      OnPathEnd(absl::DeadlineExceededError("the other end does not confirm the end"));
    });
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
  std::unique_ptr<Endpoint> endpoint = std::move(endpoint_);
  endpoint->Close(final_status_);
  loop_.Post([owned = std::move(endpoint)] {});  // it may be what called us
  owner_.OnChannelEnded(*this);
}

ChannelReport ChannelDriver::Report() const {
  ChannelReport report;
  report.channel_id = channel_.id();
  report.status = final_status_;
  report.reason = final_status_.ok() ? "closed" : channel_.outcome().ToString();
  report.duration = (endpoint_ == nullptr ? ended_ : MonotonicNow()) - started_;
  report.bytes_sent = channel_.bytes_sent();
  report.bytes_received = channel_.bytes_delivered();
  return report;
}

}  // namespace culvert
