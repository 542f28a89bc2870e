#include "crypto/certificate.h"

#include <fmt/format.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/certificate_parts.h"
#include "crypto/digest.h"
#include "crypto/key_parts.h"

namespace culvert::crypto {
namespace {

constexpr auto kLeeway = std::chrono::minutes(5);
constexpr size_t kMostCertificateBytes = size_t{16} * 1024;
constexpr char kPemBegin[] = "-----BEGIN CERTIFICATE-----\n";
constexpr char kPemEnd[] = "-----END CERTIFICATE-----\n";

bool HasExtension(const mbedtls_x509_crt& crt, int extension) {
  return (crt.MBEDTLS_PRIVATE(ext_types) & extension) != 0;
}

absl::StatusOr<std::optional<SpiffeId>> ReadSpiffeId(const mbedtls_x509_crt& crt) {
  std::optional<SpiffeId> id;
  if (!HasExtension(crt, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME)) return id;
  for (const auto* name = &crt.subject_alt_names; name != nullptr; name = name->next) {
    if (name->buf.MBEDTLS_PRIVATE(tag) != kUriTag) continue;
    if (id) return absl::InvalidArgumentError("certificate: more than one URI name");
    CULVERT_ASSIGN_OR_RETURN(id, SpiffeId::Parse(View(name->buf)));
  }
  return id;
}

WallTime ToWallTime(const mbedtls_x509_time& time) {
  std::tm parts{};
  parts.tm_year = time.MBEDTLS_PRIVATE(year) - 1900;
  parts.tm_mon = time.MBEDTLS_PRIVATE(mon) - 1;
  parts.tm_mday = time.MBEDTLS_PRIVATE(day);
  parts.tm_hour = time.MBEDTLS_PRIVATE(hour);
  parts.tm_min = time.MBEDTLS_PRIVATE(min);
  parts.tm_sec = time.MBEDTLS_PRIVATE(sec);
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

absl::Status Refused(std::string_view why) {
  return absl::UnauthenticatedError(fmt::format("certificate: {}", why));
}

// What mbedTLS found, but for the times, which it takes from its own clock.
absl::Status CheckFlags(uint32_t flags) {
  flags &= ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (flags == 0) return absl::OkStatus();
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
    return Refused("issued by another authority");
  return Refused(fmt::format("not acceptable (flags {:#x})", flags));
}

absl::Status CheckTime(const Certificate& certificate, std::string_view what, WallTime now) {
  if (now + kLeeway < certificate.not_before())
    return Refused(fmt::format("{} is not valid yet", what));
  if (now - kLeeway > certificate.not_after()) return Refused(fmt::format("{} has expired", what));
  return absl::OkStatus();
}

absl::Status CheckRoles(const Certificate& leaf, const Certificate& authority) {
  if (leaf.is_ca()) return Refused("an authority's own");
  if (!authority.is_ca()) return Refused("the issuer is no authority");
  return absl::OkStatus();
}

bool IsUsableAs(const mbedtls_x509_crt& crt, const char* oid, size_t size) {
  return HasExtension(crt, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) &&
         mbedtls_x509_crt_check_extended_key_usage(&crt, oid, size) == 0 &&
         mbedtls_x509_crt_check_key_usage(&crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0;
}

std::vector<Usage> ReadUsages(const mbedtls_x509_crt& crt) {
  std::vector<Usage> usages;
  if (IsUsableAs(crt, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)))
    usages.push_back(Usage::kServer);
  if (IsUsableAs(crt, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)))
    usages.push_back(Usage::kClient);
  return usages;
}

}  // namespace

absl::StatusOr<Certificate> Certificate::FromDer(std::string_view der) {
  if (der.size() > kMostCertificateBytes)
    return absl::InvalidArgumentError("certificate: too large");
  CrtContext crt;
  if (const int error = mbedtls_x509_crt_parse_der(crt.get(), Octets(der), der.size()); error != 0)
    return MbedError(error, "certificate");
  if (crt->raw.MBEDTLS_PRIVATE(len) != der.size())
    return absl::InvalidArgumentError("certificate: something follows it");
  CULVERT_RETURN_IF_ERROR(CheckP256(crt->pk, "certificate"));
  CULVERT_ASSIGN_OR_RETURN(PublicKey key, PublicKey::FromDer(WritePublicKey(crt->pk)));
  CULVERT_ASSIGN_OR_RETURN(std::optional<SpiffeId> id, ReadSpiffeId(*crt.get()));
  std::string serial;
  for (const char byte : View(crt->serial))
    serial += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return Certificate(std::make_shared<const Parts>(
      Parts{std::string(der), std::move(key), std::move(id), crt->MBEDTLS_PRIVATE(ca_istrue) != 0,
            std::move(serial), ToWallTime(crt->valid_from), ToWallTime(crt->valid_to),
            ReadUsages(*crt.get())}));
}

absl::StatusOr<Certificate> Certificate::FromPem(std::string_view pem) {
  if (pem.size() > 2 * kMostCertificateBytes)
    return absl::InvalidArgumentError("certificate: too large");
  const std::string text(pem);
  CrtContext crt;
  // The terminating zero is counted, or the text is taken for DER.
  const int error = mbedtls_x509_crt_parse(crt.get(), Octets(text), text.size() + 1);
  if (error < 0) return MbedError(error, "certificate");
  if (error > 0 || crt->next != nullptr)
    return absl::InvalidArgumentError("certificate: exactly one is expected");
  return FromDer(View(crt->raw));
}

std::string Certificate::Pem() const {
  std::string text(2 * der().size() + 128, '\0');
  size_t size = 0;
  const int error =
      mbedtls_pem_write_buffer(kPemBegin, kPemEnd, Octets(der()), der().size(),
                               reinterpret_cast<unsigned char*>(text.data()), text.size(), &size);
  CULVERT_CHECK(error == 0);
  text.resize(size - 1);  // without the terminating zero
  return text;
}

std::string Certificate::Fingerprint() const { return Base32(Sha256(der())); }

bool Certificate::IsFor(Usage usage) const {
  const std::vector<Usage>& usages = parts_->usages;
  return std::find(usages.begin(), usages.end(), usage) != usages.end();
}

absl::Status Certificate::CheckIssuedBy(const Certificate& authority, Usage usage,
                                        WallTime now) const {
  CULVERT_RETURN_IF_ERROR(CheckRoles(*this, authority));
  CrtContext leaf;
  CrtContext issuer;
  CULVERT_CHECK(mbedtls_x509_crt_parse_der(leaf.get(), Octets(der()), der().size()) == 0);
  CULVERT_CHECK(mbedtls_x509_crt_parse_der(issuer.get(), Octets(authority.der()),
                                           authority.der().size()) == 0);
  uint32_t flags = 0;
  const int error = mbedtls_x509_crt_verify_with_profile(leaf.get(), issuer.get(), nullptr,
                                                         &mbedtls_x509_crt_profile_suiteb, nullptr,
                                                         &flags, nullptr, nullptr);
  if (error != 0 && error != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) return Refused("not verifiable");
  CULVERT_RETURN_IF_ERROR(CheckFlags(flags));
  return CheckValidFor(authority, usage, now);
}

absl::Status Certificate::CheckValidFor(const Certificate& authority, Usage usage,
                                        WallTime now) const {
  CULVERT_RETURN_IF_ERROR(CheckRoles(*this, authority));
  CULVERT_RETURN_IF_ERROR(CheckTime(authority, "the authority", now));
  CULVERT_RETURN_IF_ERROR(CheckTime(*this, "it", now));
  if (IsFor(usage)) return absl::OkStatus();
  return Refused(usage == Usage::kServer ? "not for a server" : "not for a client");
}

absl::Status Certificate::CheckValidAt(WallTime now) const { return CheckTime(*this, "it", now); }

}  // namespace culvert::crypto
