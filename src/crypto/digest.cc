#include "crypto/digest.h"

extern "C" {  // which this header of 2.28 does not say itself
#include <mbedtls/constant_time.h>
}
#include <mbedtls/md.h>

#include <cstdint>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "crypto/mbedtls.h"

namespace culvert::crypto {
namespace {

constexpr std::string_view kBase32Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

}  // namespace

std::string Sha256(std::string_view data) {
  std::string digest(kSha256Bytes, '\0');
  const int error = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), Octets(data),
                               data.size(), reinterpret_cast<unsigned char*>(digest.data()));
  CULVERT_CHECK(error == 0);
  return digest;
}

std::string HmacSha256(std::string_view key, std::string_view data) {
  std::string mac(kSha256Bytes, '\0');
  const int error =
      mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), Octets(key), key.size(),
                      Octets(data), data.size(), reinterpret_cast<unsigned char*>(mac.data()));
  CULVERT_CHECK(error == 0);
  return mac;
}

std::string Base32(std::string_view bytes) {
  constexpr unsigned kBits = 5;
  constexpr unsigned kMask = (1U << kBits) - 1;
  std::string text;
  uint32_t held = 0;
  unsigned count = 0;
  for (const char byte : bytes) {
    held = (held << 8) | static_cast<unsigned char>(byte);
    for (count += 8; count >= kBits;) {
      count -= kBits;
      text += kBase32Alphabet[(held >> count) & kMask];
    }
  }
  if (count > 0) text += kBase32Alphabet[(held << (kBits - count)) & kMask];
  return text;
}

std::optional<std::string> FromBase32(std::string_view text) {
  constexpr unsigned kBits = 5;
  std::string bytes;
  uint32_t held = 0;
  unsigned count = 0;
  for (const char c : text) {
    const size_t value = kBase32Alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    held = (held << kBits) | static_cast<uint32_t>(value);
    count += kBits;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((held >> count) & 0xff);
    }
  }
  // Bits left over that are set, or a letter too many, would be another spelling.
  if (Base32(bytes) != text) return std::nullopt;
  return bytes;
}

bool IsKeyId(std::string_view text) {
  constexpr size_t kLetters = 52;
  return text.size() == kLetters && FromBase32(text).has_value();
}

std::string Base64Url(std::string_view bytes) {
  return absl::WebSafeBase64Escape({bytes.data(), bytes.size()});
}

std::optional<std::string> FromBase64Url(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape({text.data(), text.size()}, &bytes)) return std::nullopt;
  // It also reads padding, white space, '.' and bits left over, each another spelling.
  if (Base64Url(bytes) != text) return std::nullopt;
  return bytes;
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && mbedtls_ct_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace culvert::crypto
