#include "broker/admission.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"

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

}  // namespace culvert::broker
