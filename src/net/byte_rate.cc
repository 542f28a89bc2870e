#include "net/byte_rate.h"

#include <algorithm>

namespace culvert::net {

void ByteRate::SetLimit(uint64_t per_second, MonotonicTime now) {
  const MutexLock lock(mutex_);
  if (per_second_ == static_cast<double>(per_second)) return;
  Fill(now);
  // What went through without a limit was not claimed, and is no debt.
  if (per_second_ == 0 || per_second == 0) paid_ = claimed_;
  per_second_ = static_cast<double>(per_second);
  filled_ = now;
  limited_.store(per_second > 0, std::memory_order_relaxed);
  SetTurn();
}

ByteRate::Place ByteRate::Claim(uint64_t bytes, MonotonicTime now) {
  const MutexLock lock(mutex_);
  Fill(now);
  Turn(now);
  const Place place = claimed_;
  claimed_ += static_cast<double>(bytes);
  now_claimed_ += static_cast<double>(bytes);
  SetTurn();
  return place;
}

Duration ByteRate::WaitFor(Place place, MonotonicTime now) {
  const MutexLock lock(mutex_);
  Fill(now);
  SetTurn();
  if (per_second_ == 0 || paid_ >= place) return Duration::zero();
  const std::chrono::duration<double> wait((place - paid_) / per_second_);
  if (wait >= kMostWait) return kMostWait;
  return std::chrono::ceil<std::chrono::milliseconds>(wait);
}

void ByteRate::GiveBack(uint64_t bytes) {
  const MutexLock lock(mutex_);
  // Not taken off what was claimed: the places of those who wait are counted from the beginning.
  paid_ += static_cast<double>(bytes);
  now_claimed_ = std::max(0.0, now_claimed_ - static_cast<double>(bytes));
  SetTurn();
}

uint64_t ByteRate::Recent(MonotonicTime now) {
  const MutexLock lock(mutex_);
  Turn(now);
  return static_cast<uint64_t>(last_rate_);
}

// Falls with the queue, so that many who come at once do not make it longer than many who were
// there.
void ByteRate::SetTurn() {
  const auto full = static_cast<double>(FullTurn(per_second_));
  double left = 1;
  if (per_second_ > 0) {
    left -= std::max(0.0, claimed_ - paid_) / (per_second_ * ToSeconds(kLongQueue));
  }
  const double turn = std::max(static_cast<double>(kLeastTurn), full * left);
  turn_.store(static_cast<size_t>(turn), std::memory_order_relaxed);
}

void ByteRate::Fill(MonotonicTime now) {
  if (now <= filled_) return;
  paid_ += per_second_ * ToSeconds(now - filled_);
  paid_ = std::min(paid_, claimed_ + per_second_ * ToSeconds(kSaved));
  filled_ = now;
}

void ByteRate::Turn(MonotonicTime now) {
  const Duration passed = now - second_;
  if (passed < std::chrono::seconds(1)) return;
  const bool used = passed < std::chrono::seconds(2);
  last_rate_ = used ? now_claimed_ / ToSeconds(passed) : 0;
  now_claimed_ = 0;
  second_ = now;
}

}  // namespace culvert::net
