// What a broker gives to the machine that keeps the authority's key: no crash, and what is signed
// can be read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "broker/signing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::crypto::CertificateAuthority;
  const culvert::WallTime now = culvert::FromUnixMillis(1'700'000'000'000);
  static const CertificateAuthority authority =
      CertificateAuthority::Create("fuzz", now, now + std::chrono::hours(24));
  const std::string_view lines(reinterpret_cast<const char*>(data), size);
  const auto made = culvert::broker::SignRequests(authority, lines, {}, now);
  const auto read = culvert::broker::ReadSignedLine(made.ok() && !made->empty() ? *made : "{}");
  if (made.ok() && !made->empty() && made->find('\n') == made->size() - 1) {
    CULVERT_CHECK(culvert::crypto::Certificate::FromPem(*read).ok());
  }
  return 0;
}
