#include "broker/admission.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/random.h"

namespace culvert::broker {

SlotCounter::Slot& SlotCounter::Slot::operator=(Slot&& other) noexcept {
  if (this == &other) return *this;
  Release();
  counter_ = std::exchange(other.counter_, nullptr);
  key_ = std::move(other.key_);
  return *this;
}

void SlotCounter::Slot::Release() {
  if (counter_ == nullptr) return;
  const auto found = counter_->used_.find(key_);
  CULVERT_CHECK(found != counter_->used_.end());
  if (--found->second == 0) counter_->used_.erase(found);
  counter_ = nullptr;
}

absl::StatusOr<SlotCounter::Slot> SlotCounter::Take(const std::string& key) {
  if (count(key) >= limit_) return TooMany(key);
  return Count(key);
}

SlotCounter::Slot SlotCounter::Count(const std::string& key) {
  ++used_[key];
  return Slot(this, key);
}

absl::Status SlotCounter::CheckCounted(const std::string& key) const {
  return count(key) <= limit_ ? absl::OkStatus() : TooMany(key);
}

absl::Status SlotCounter::TooMany(const std::string& key) const {
  return absl::ResourceExhaustedError(
      fmt::format("too many {} from {} (limit {})", what_, key, limit_));
}

uint64_t SlotCounter::count(const std::string& key) const {
  const auto found = used_.find(key);
  return found == used_.end() ? 0 : found->second;
}

Admission::Admission(const Limits& limits, MonotonicTime now)
    : streams_("streams", limits.streams_per_address),
      openings_("openings under way", limits.pending_per_address),
      refused_("refused streams", kMaxRefused),
      held_("resumes that wait", limits.held_resumes),
      resumes_(limits.resumes, now) {}

void Admission::SetLimits(const Limits& limits) {
  streams_.set_limit(limits.streams_per_address);
  openings_.set_limit(limits.pending_per_address);
}

absl::StatusOr<SlotCounter::Slot> Admission::Admit(const rpc::StreamInfo& info, rpc::Stream& stream,
                                                   MonotonicTime now) {
  absl::StatusOr<SlotCounter::Slot> slot = streams_.Take(info.peer);
  if (!slot.ok()) {
    streams_log_.Log(LogLevel::kWarning, now, MessageOf(slot.status()));
    return slot.status();
  }
  stream.HoldUntilDone(std::make_shared<SlotCounter::Slot>(*std::move(slot)));
  // Only consumers: an Accept that had to wait for a free opening would wait for itself.
  if (info.method != rpc::StreamInfo::Method::kConnect) return SlotCounter::Slot();
  return openings_.Count(info.peer);
}

absl::Status Admission::MayOpen(const rpc::StreamInfo& info, MonotonicTime now) {
  absl::Status may = openings_.CheckCounted(info.peer);
  if (!may.ok()) openings_log_.Log(LogLevel::kWarning, now, MessageOf(may));
  return may;
}

Duration Admission::TakeResume(MonotonicTime now) {
  if (resumes_.Take(now)) return Duration::zero();
  // Those who are refused together are not to come back together.
  return resumes_.Wait(now) + std::chrono::milliseconds(100 + crypto::RandomId() % 1'000);
}

absl::StatusOr<SlotCounter::Slot> Admission::HoldResume(const std::string& consumer) {
  return held_.Take(consumer);
}

void Admission::Refuse(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream,
                       const absl::Status& why) {
  absl::StatusOr<SlotCounter::Slot> slot = refused_.Take(info.peer);
  if (!slot.ok()) return;  // dropping a stream cancels it at once
  stream->HoldUntilDone(std::make_shared<SlotCounter::Slot>(*std::move(slot)));
  stream->Finish(why);
}

}  // namespace culvert::broker
