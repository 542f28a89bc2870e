#include <fmt/format.h>

#include <utility>

#include "crypto/tls_records.h"

namespace culvert::crypto {
namespace {

// RFC 5246 §7.2, RFC 7301 and RFC 8446 (a peer of TLS 1.3 may use its own).
constexpr std::pair<uint8_t, std::string_view> kNames[] = {
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {22, "record_overflow"},
    {40, "handshake_failure"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {100, "no_renegotiation"},
    {110, "unsupported_extension"},
    {116, "certificate_required"},
};

}  // namespace

std::string AlertName(uint8_t description) {
  for (const auto& [number, name] : kNames) {
    if (number == description) return std::string(name);
  }
  return fmt::format("{}", description);
}

}  // namespace culvert::crypto
