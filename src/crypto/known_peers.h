// The certificates whose signature by one authority has been verified.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "crypto/certificate.h"

namespace culvert::crypto {

// Any thread. When full, all are forgotten: they cost one verification each.
class KnownPeers {
 public:
  static constexpr size_t kMost = 256;

  void Add(const Certificate& peer);
  // The certificate whose DER form this is.
  std::optional<Certificate> Find(std::string_view der) const;

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, Certificate> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace culvert::crypto
