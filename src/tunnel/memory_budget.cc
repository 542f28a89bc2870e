#include "tunnel/memory_budget.h"

#include <algorithm>

namespace culvert::tunnel {

MemoryBudget::Member::Member(MemoryBudget& budget) : budget_(budget) { ++budget_.channels_; }

MemoryBudget::Member::~Member() {
  SetUsed(0);
  --budget_.channels_;
}

void MemoryBudget::Member::SetUsed(uint64_t used) {
  const bool before = budget_.under_pressure();
  budget_.used_ += used;
  budget_.used_ -= used_;
  used_ = used;
  if (!before && budget_.under_pressure() && budget_.on_pressure_) budget_.on_pressure_();
}

uint64_t MemoryBudget::Member::Share() const { return budget_.ShareAmong(budget_.channels_); }

uint64_t MemoryBudget::ShareAmong(size_t channels) const {
  return std::max(kMinShare, limit_ / (2 * channels));  // two directions
}

bool MemoryBudget::Member::MayGrow() const { return budget_.used_ < budget_.limit_ / 2; }

}  // namespace culvert::tunnel
