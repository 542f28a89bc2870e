// Certificates and their parts as mbedTLS has them. Included only inside src/crypto.
#pragma once

#include <mbedtls/asn1.h>
#include <mbedtls/x509_crt.h>

#include <string_view>

#include "crypto/mbedtls.h"

namespace culvert::crypto {

using CrtContext = Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;

// The kinds of names of a subject (RFC 5280 §4.2.1.6).
inline constexpr unsigned char kDnsTag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;
inline constexpr unsigned char kUriTag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6;
inline constexpr unsigned char kIpTag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;

inline std::string_view View(const mbedtls_x509_buf& buffer) {
  return {reinterpret_cast<const char*>(buffer.MBEDTLS_PRIVATE(p)), buffer.MBEDTLS_PRIVATE(len)};
}

}  // namespace culvert::crypto
