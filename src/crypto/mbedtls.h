// What the files of this folder share of mbedTLS 2.28, written so that 3.x compiles too. Included
// only inside src/crypto.
#pragma once

#include <mbedtls/error.h>
#include <mbedtls/version.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

// The fields that 3.x hides behind this macro are plain in 2.28.
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

namespace culvert::crypto {

// The random number generator of every call that wants one: the kernel's.
int MbedRandom(void* unused, unsigned char* out, size_t size);

// INVALID_ARGUMENT "WHAT: the library's words".
absl::Status MbedError(int error, std::string_view what);

inline const unsigned char* Octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// A structure of mbedTLS that is freed with its owner. Neither copied nor moved: some of them point
// into themselves.
template <typename T, void (*kInit)(T*), void (*kFree)(T*)>
class Owned {
 public:
  Owned() { kInit(&value_); }
  ~Owned() { kFree(&value_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  T* get() { return &value_; }
  const T* get() const { return &value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

 private:
  T value_;
};

}  // namespace culvert::crypto
