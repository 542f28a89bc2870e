#include "crypto/certificate_request.h"

#include <mbedtls/x509_csr.h>

#include <array>

#include "base/check.h"
#include "base/status.h"
#include "crypto/certificate_parts.h"
#include "crypto/key_parts.h"

namespace culvert::crypto {
namespace {

using CsrContext = Owned<mbedtls_x509_csr, mbedtls_x509_csr_init, mbedtls_x509_csr_free>;
using CsrWriter =
    Owned<mbedtls_x509write_csr, mbedtls_x509write_csr_init, mbedtls_x509write_csr_free>;

constexpr size_t kMostRequestBytes = size_t{8} * 1024;

}  // namespace

std::string MakeCertificateRequest(const PrivateKey& key) {
  CsrWriter writer;
  PrivateKey::Parts& parts = key.parts();
  const MutexLock lock(parts.mutex);
  mbedtls_x509write_csr_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(writer.get(), parts.pk.get());
  CULVERT_CHECK(mbedtls_x509write_csr_set_subject_name(writer.get(), "CN=culvert") == 0);
  std::array<unsigned char, 4096> pem{};
  CULVERT_CHECK(
      mbedtls_x509write_csr_pem(writer.get(), pem.data(), pem.size(), MbedRandom, nullptr) == 0);
  return reinterpret_cast<const char*>(pem.data());
}

absl::StatusOr<PublicKey> ReadCertificateRequest(std::string_view pem) {
  if (pem.size() > kMostRequestBytes)
    return absl::InvalidArgumentError("certificate request: too large");
  const std::string text(pem);
  CsrContext csr;
  // The terminating zero is counted, or the text is taken for DER.
  if (const int error = mbedtls_x509_csr_parse(csr.get(), Octets(text), text.size() + 1);
      error != 0)
    return MbedError(error, "certificate request");
  CULVERT_RETURN_IF_ERROR(CheckP256(csr->pk, "certificate request"));
  CULVERT_ASSIGN_OR_RETURN(PublicKey key, PublicKey::FromDer(WritePublicKey(csr->pk)));
  const bool is_signed = csr->MBEDTLS_PRIVATE(sig_md) == MBEDTLS_MD_SHA256 &&
                         key.Verifies(View(csr->cri), View(csr->MBEDTLS_PRIVATE(sig)));
  if (!is_signed) return absl::InvalidArgumentError("certificate request: its signature is wrong");
  return key;
}

}  // namespace culvert::crypto
