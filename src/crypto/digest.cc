#include "crypto/digest.h"

#include <mbedtls/md.h>

#include <cstdint>

#include "base/check.h"
#include "crypto/mbedtls.h"

namespace culvert::crypto {
namespace {

// The bits of `bytes` in groups of `bits`, each as a character of `alphabet`.
std::string Encode(std::string_view bytes, std::string_view alphabet, unsigned bits) {
  std::string text;
  text.reserve((bytes.size() * 8 + bits - 1) / bits);
  uint32_t held = 0;
  unsigned count = 0;
  for (const char byte : bytes) {
    held = (held << 8) | static_cast<unsigned char>(byte);
    count += 8;
    while (count >= bits) {
      count -= bits;
      text += alphabet[(held >> count) & (alphabet.size() - 1)];
    }
  }
  if (count > 0) text += alphabet[(held << (bits - count)) & (alphabet.size() - 1)];
  return text;
}

}  // namespace

std::string Sha256(std::string_view data) {
  std::string digest(kSha256Bytes, '\0');
  const int error = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), Octets(data),
                               data.size(), reinterpret_cast<unsigned char*>(digest.data()));
  CULVERT_CHECK(error == 0);
  return digest;
}

std::string Base32(std::string_view bytes) {
  return Encode(bytes, "abcdefghijklmnopqrstuvwxyz234567", 5);
}

std::string Base64Url(std::string_view bytes) {
  return Encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6);
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

}  // namespace culvert::crypto
