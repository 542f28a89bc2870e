// What an administrator hands to whoever is to enrol: `cvt1-SECRET-FINGERPRINT`. The secret proves
// to the broker who may enrol; the fingerprint of the CA's certificate proves the broker.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::crypto {

struct EnrolmentToken {
  static constexpr size_t kSecretBytes = 32;

  std::string secret;          // kSecretBytes, from RandomBytes
  std::string ca_fingerprint;  // as Certificate::Fingerprint

  // Strict, 110 bytes: neither white space nor upper case. INVALID_ARGUMENT otherwise; the message
  // has nothing of `text` in it. Not constant in time: whoever has the text has the secret.
  static absl::StatusOr<EnrolmentToken> Parse(std::string_view text);
  std::string ToString() const;

  friend bool operator==(const EnrolmentToken&, const EnrolmentToken&) = default;
};

}  // namespace culvert::crypto
