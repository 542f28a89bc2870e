#include "crypto/random.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

#include "base/check.h"

namespace culvert::crypto {

void FillRandom(void* out, size_t size) {
  char* at = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    CULVERT_CHECK(got > 0);
    at += got;
    size -= static_cast<size_t>(got);
  }
}

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  FillRandom(bytes.data(), size);
  return bytes;
}

uint64_t RandomUint64() {
  uint64_t value = 0;
  FillRandom(&value, sizeof(value));
  return value;
}

uint64_t RandomId() {
  uint64_t id = 0;
  while (id == 0) id = RandomUint64() >> 1;
  return id;
}

std::string RandomUuid() {
  std::array<uint8_t, 16> bytes{};
  FillRandom(bytes.data(), bytes.size());
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", bytes.at(i));
  }
  return text;
}

}  // namespace culvert::crypto
