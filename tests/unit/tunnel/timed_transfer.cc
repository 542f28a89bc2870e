#include "tests/unit/tunnel/timed_transfer.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

constexpr size_t kRead = 64 * 1024;  // what one read of the sender's local side brings

size_t SizeOf(const Message& message) {
  const auto* data = std::get_if<Data>(&message);
  return 32 + (data == nullptr ? 0 : data->bytes.size());
}

}  // namespace

TimedTransfer::TimedTransfer(const Config& config)
    : config_(config),
      sender_budget_(config.memory_limit),
      receiver_budget_(config.memory_limit),
      sender_(Capable(config.window, config.window), sender_budget_),
      receiver_(Capable(config.window, config.window), receiver_budget_) {
  (void)sender_.Attach(1, 0, std::nullopt, now_);
  (void)receiver_.Attach(1, 0, std::nullopt, now_);
}

void TimedTransfer::RunFor(Duration duration) {
  const MonotonicTime until = now_ + duration;
  Pump();
  while (!events_.empty() && events_.begin()->first <= until) {
    now_ = events_.begin()->first;
    const std::function<void()> what = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    what();
    Pump();
  }
  now_ = until;
}

void TimedTransfer::ResumeReader() {
  reader_stalled_ = false;
  if (read_is_over_) FinishRead();
}

void TimedTransfer::Reconnect() {
  const uint32_t attempt = sender_.attempt() + 1;
  sender_.Detach();
  receiver_.Detach();
  const uint64_t sender_last = sender_.last_received_id();
  const uint64_t receiver_last = receiver_.last_received_id();
  const uint64_t sender_window = sender_.window();
  (void)sender_.Attach(attempt, receiver_last, receiver_.window(), now_);
  (void)receiver_.Attach(attempt, sender_last, sender_window, now_);
}

void TimedTransfer::At(MonotonicTime when, std::function<void()> what) {
  events_.emplace(when, std::move(what));
}

void TimedTransfer::Pump() {
  Read();
  Fill();
  PumpLine(forth_);
  PumpLine(back_);
}

void TimedTransfer::Fill() {
  if (forth_.free_at > now_) return;  // the path is not ready, so nothing is read ahead of it
  if (const size_t room = std::min(sender_.SendRoom(), kRead); room > 0) {
    static const Bytes zeros = Filled(kRead);
    sender_.Send(zeros.Slice(0, room));
  }
}

void TimedTransfer::PumpLine(Line& line) {
  if (line.free_at > now_) return;
  std::optional<Message> message = line.from.NextMessage(now_);
  if (!message) {
    if (const auto deadline = line.from.deadline()) At(std::max(*deadline, now_), [] {});
    return;
  }
  line.free_at = now_ + std::max(TimeFor(SizeOf(*message), config_.bytes_per_second), Duration(1));
  At(line.free_at, [] {});  // ready again
  const uint32_t attempt = line.from.attempt();
  At(line.free_at + config_.delay, [this, &line, attempt, carried = *std::move(message)] {
    if (line.to.OnMessage(attempt, carried, now_) != Channel::PathVerdict::kOk) {
      throw std::runtime_error("a gap on a path without faults");
    }
  });
}

void TimedTransfer::Read() {
  if (reading_) return;
  const std::optional<Channel::Delivery> delivery = receiver_.NextDelivery(now_);
  if (!delivery) return;
  reading_ = true;
  At(now_ + TimeFor(delivery->bytes.size(), config_.reader_per_second), [this] {
    read_is_over_ = true;
    if (!reader_stalled_) FinishRead();
  });
}

void TimedTransfer::FinishRead() {
  receiver_.Delivered(now_);
  reading_ = false;
  read_is_over_ = false;
}

Duration TimedTransfer::TimeFor(size_t bytes, double per_second) const {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(static_cast<double>(bytes) / per_second));
}

}  // namespace culvert::tunnel::testing
