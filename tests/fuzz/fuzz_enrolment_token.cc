// An enrolment token: no crash, one spelling, and fields of their size.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "crypto/digest.h"
#include "crypto/enrolment_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::crypto::EnrolmentToken;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = EnrolmentToken::Parse(text);
  if (!token.ok()) return 0;
  CULVERT_CHECK(token->ToString() == text);
  CULVERT_CHECK(token->secret.size() == EnrolmentToken::kSecretBytes);
  CULVERT_CHECK(culvert::crypto::IsKeyId(token->ca_fingerprint));
  return 0;
}
