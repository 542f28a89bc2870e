#include "crypto/certificate_authority.h"

#include <fmt/format.h>
#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/certificate_parts.h"
#include "crypto/key_parts.h"
#include "crypto/random.h"

namespace culvert::crypto {
namespace {

using CrtWriter =
    Owned<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

constexpr size_t kSerialBytes = 16;
constexpr size_t kMostCommonName = 64;  // RFC 5280, ub-common-name
constexpr unsigned char kSequenceTag = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;

// One DER element (X.690 §8.1). mbedTLS has no call for the extensions that are needed here.
std::string Element(unsigned char tag, std::string_view content) {
  std::string der(1, static_cast<char>(tag));
  const size_t size = content.size();
  CULVERT_CHECK(size <= 0xffff);
  if (size > 0xff) {
    der += {static_cast<char>(0x82), static_cast<char>(size >> 8), static_cast<char>(size & 0xff)};
  } else if (size > 0x7f) {
    der += {static_cast<char>(0x81), static_cast<char>(size)};
  } else {
    der += static_cast<char>(size);
  }
  return der.append(content);
}

std::string SubjectAltName(const CertificateContent& content) {
  std::string names;
  if (content.spiffe_id) names += Element(kUriTag, content.spiffe_id->ToString());
  for (const std::string& name : content.dns_names) names += Element(kDnsTag, name);
  for (const std::string& address : content.ip_addresses) names += Element(kIpTag, address);
  return Element(kSequenceTag, names);
}

std::string ExtendedKeyUsage(const std::vector<Usage>& usages) {
  std::string oids;
  for (const Usage usage : usages) {
    oids += Element(MBEDTLS_ASN1_OID, usage == Usage::kServer
                                          ? std::string_view(MBEDTLS_OID_SERVER_AUTH)
                                          : std::string_view(MBEDTLS_OID_CLIENT_AUTH));
  }
  return Element(kSequenceTag, oids);
}

void AddExtension(CrtWriter& writer, std::string_view oid, const std::string& value) {
  CULVERT_CHECK(mbedtls_x509write_crt_set_extension(writer.get(), oid.data(), oid.size(),
                                                    /*critical=*/0, Octets(value),
                                                    value.size()) == 0);
}

std::string FormatTime(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 16> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &parts);
  return {text.data(), size};
}

// Positive, and long enough that nobody can foretell what is signed.
void SetRandomSerial(CrtWriter& writer) {
  std::string serial = RandomBytes(kSerialBytes);
  serial[0] = static_cast<char>((serial[0] & 0x3f) | 0x40);
#if MBEDTLS_VERSION_MAJOR >= 3
  CULVERT_CHECK(mbedtls_x509write_crt_set_serial_raw(
                    writer.get(), reinterpret_cast<unsigned char*>(serial.data()), serial.size()) ==
                0);
#else
  Owned<mbedtls_mpi, mbedtls_mpi_init, mbedtls_mpi_free> number;
  CULVERT_CHECK(mbedtls_mpi_read_binary(number.get(), Octets(serial), serial.size()) == 0);
  CULVERT_CHECK(mbedtls_x509write_crt_set_serial(writer.get(), number.get()) == 0);
#endif
}

void SetValidity(CrtWriter& writer, WallTime not_before, WallTime not_after) {
  CULVERT_CHECK(mbedtls_x509write_crt_set_validity(writer.get(), FormatTime(not_before).c_str(),
                                                   FormatTime(not_after).c_str()) == 0);
}

Certificate Write(CrtWriter& writer) {
  std::array<unsigned char, 4096> buffer{};
  const int size =
      mbedtls_x509write_crt_der(writer.get(), buffer.data(), buffer.size(), MbedRandom, nullptr);
  CULVERT_CHECK(size > 0);
  // It writes at the end of the buffer.
  const auto* end = reinterpret_cast<const char*>(buffer.data() + buffer.size());
  absl::StatusOr<Certificate> written =
      Certificate::FromDer({end - size, static_cast<size_t>(size)});
  CULVERT_CHECK(written.ok());
  return *std::move(written);
}

}  // namespace

CertificateAuthority CertificateAuthority::Create(const std::string& subject, WallTime not_before,
                                                  WallTime not_after) {
  const PrivateKey key = PrivateKey::Generate();
  PrivateKey::Parts& parts = key.parts();
  const MutexLock lock(parts.mutex);
  CrtWriter writer;
  const std::string name = "CN=" + subject.substr(0, kMostCommonName);
  mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  CULVERT_CHECK(mbedtls_x509write_crt_set_subject_name(writer.get(), name.c_str()) == 0);
  CULVERT_CHECK(mbedtls_x509write_crt_set_issuer_name(writer.get(), name.c_str()) == 0);
  mbedtls_x509write_crt_set_subject_key(writer.get(), parts.pk.get());
  mbedtls_x509write_crt_set_issuer_key(writer.get(), parts.pk.get());
  SetRandomSerial(writer);
  SetValidity(writer, not_before, not_after);
  CULVERT_CHECK(mbedtls_x509write_crt_set_basic_constraints(writer.get(), 1, 0) == 0);
  CULVERT_CHECK(mbedtls_x509write_crt_set_key_usage(
                    writer.get(), MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN) == 0);
  CULVERT_CHECK(mbedtls_x509write_crt_set_subject_key_identifier(writer.get()) == 0);
  return CertificateAuthority(Write(writer), key);
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::FromParts(Certificate certificate,
                                                                     PrivateKey key) {
  if (!certificate.is_ca())
    return absl::InvalidArgumentError("certificate authority: the certificate is no authority's");
  if (!(certificate.public_key() == key.public_key()))
    return absl::InvalidArgumentError("certificate authority: the key is not the certificate's");
  return CertificateAuthority(std::move(certificate), std::move(key));
}

Certificate CertificateAuthority::Issue(const PublicKey& key,
                                        const CertificateContent& content) const {
  Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free> own;
  CULVERT_CHECK(mbedtls_x509_crt_parse_der(own.get(), Octets(certificate_.der()),
                                           certificate_.der().size()) == 0);
  std::array<char, 512> issuer{};
  CULVERT_CHECK(mbedtls_x509_dn_gets(issuer.data(), issuer.size(), &own->subject) > 0);
  PkContext subject_key;
  CULVERT_CHECK(
      mbedtls_pk_parse_public_key(subject_key.get(), Octets(key.der()), key.der().size()) == 0);
  // With the role in front: an agent that is called like a host must not pass for that host where a
  // peer falls back to the common name.
  const std::string subject =
      content.spiffe_id
          ? fmt::format("{} {}", RoleName(content.spiffe_id->role), content.spiffe_id->name)
          : "culvert broker";

  PrivateKey::Parts& parts = key_.parts();
  const MutexLock lock(parts.mutex);
  CrtWriter writer;
  mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  CULVERT_CHECK(mbedtls_x509write_crt_set_issuer_name(writer.get(), issuer.data()) == 0);
  CULVERT_CHECK(mbedtls_x509write_crt_set_subject_name(
                    writer.get(), ("CN=" + subject.substr(0, kMostCommonName)).c_str()) == 0);
  mbedtls_x509write_crt_set_subject_key(writer.get(), subject_key.get());
  mbedtls_x509write_crt_set_issuer_key(writer.get(), parts.pk.get());
  SetRandomSerial(writer);
  SetValidity(writer, content.not_before, std::min(content.not_after, certificate_.not_after()));
  CULVERT_CHECK(mbedtls_x509write_crt_set_basic_constraints(writer.get(), 0, -1) == 0);
  CULVERT_CHECK(
      mbedtls_x509write_crt_set_key_usage(writer.get(), MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0);
  CULVERT_CHECK(mbedtls_x509write_crt_set_authority_key_identifier(writer.get()) == 0);
  AddExtension(writer, MBEDTLS_OID_EXTENDED_KEY_USAGE, ExtendedKeyUsage(content.usages));
  AddExtension(writer, MBEDTLS_OID_SUBJECT_ALT_NAME, SubjectAltName(content));
  return Write(writer);
}

}  // namespace culvert::crypto
