#include "crypto/random.h"

#include <sys/random.h>

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

}  // namespace culvert::crypto
