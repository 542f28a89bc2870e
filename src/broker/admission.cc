#include "broker/admission.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/status.h"

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
  const uint64_t now_used = count(key);
  if (now_used >= limit_) {
    return absl::ResourceExhaustedError(
        fmt::format("too many {} from {} (limit {})", what_, key, limit_));
  }
  used_[key] = now_used + 1;
  return Slot(this, key);
}

uint64_t SlotCounter::count(const std::string& key) const {
  const auto found = used_.find(key);
  return found == used_.end() ? 0 : found->second;
}

Admission::Admission(const Limits& limits)
    : streams_("streams", limits.streams_per_address),
      openings_("openings under way", limits.pending_per_address),
      refused_("refused streams", kMaxRefused) {}

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
  // Only consumers: an Accept that had to wait for a free opening would wait for itself.
  absl::StatusOr<SlotCounter::Slot> opening = SlotCounter::Slot();
  if (info.method == rpc::StreamInfo::Method::kConnect) opening = openings_.Take(info.peer);
  if (!opening.ok()) {
    openings_log_.Log(LogLevel::kWarning, now, MessageOf(opening.status()));
    return opening.status();
  }
  stream.HoldUntilDone(std::make_shared<SlotCounter::Slot>(*std::move(slot)));
  return opening;
}

void Admission::Refuse(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream,
                       const absl::Status& why) {
  absl::StatusOr<SlotCounter::Slot> slot = refused_.Take(info.peer);
  if (!slot.ok()) return;  // dropping a stream cancels it at once
  stream->HoldUntilDone(std::make_shared<SlotCounter::Slot>(*std::move(slot)));
  stream->Finish(why);
}

}  // namespace culvert::broker
