#include "crypto/mbedtls.h"

#include <fmt/format.h>

#include <array>

#include "crypto/random.h"

namespace culvert::crypto {

int MbedRandom(void*, unsigned char* out, size_t size) {
  FillRandom(out, size);
  return 0;
}

absl::Status MbedError(int error, std::string_view what) {
  std::array<char, 128> text{};
  mbedtls_strerror(error, text.data(), text.size());
  return absl::InvalidArgumentError(fmt::format("{}: {}", what, text.data()));
}

}  // namespace culvert::crypto
