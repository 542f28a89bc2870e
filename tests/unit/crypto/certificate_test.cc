#include "crypto/certificate.h"

#include "crypto/certificate_authority.h"
#include "crypto/certificate_request.h"
#include "tests/support/catch.h"

namespace culvert::crypto {
namespace {

using namespace std::chrono_literals;

// Whole seconds, as certificates have them.
WallTime Now() {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

struct Issued {
  WallTime now = Now();
  CertificateAuthority authority =
      CertificateAuthority::Create("project default", now - 1h, now + 240h);
  PrivateKey key = PrivateKey::Generate();
  CertificateContent content{
      SpiffeId{"culvert.internal", "default", SpiffeId::Role::kAgent, "edge-1"},
      {},
      {Usage::kClient, Usage::kServer},
      now - 1min,
      now + 24h};

  Certificate Issue() const { return authority.Issue(key.public_key(), content); }
};

TEST_CASE("A certificate says what it was issued for", "[certificate]") {
  Issued issued;
  issued.content.dns_names = {"broker.culvert.internal"};
  const Certificate certificate = issued.Issue();
  CHECK(certificate.public_key() == issued.key.public_key());
  CHECK(certificate.spiffe_id() == issued.content.spiffe_id);
  CHECK(certificate.not_before() == issued.content.not_before);
  CHECK(certificate.not_after() == issued.content.not_after);
  CHECK_FALSE(certificate.is_ca());
  CHECK(certificate.serial().size() == 32);
  CHECK(certificate.serial() != issued.Issue().serial());
  CHECK(issued.authority.certificate().is_ca());
  CHECK_FALSE(issued.authority.certificate().spiffe_id().has_value());

  const auto read = Certificate::FromPem(certificate.Pem());
  REQUIRE(read.ok());
  CHECK(*read == certificate);
  CHECK(read->Fingerprint() == certificate.Fingerprint());
}

TEST_CASE("A certificate is accepted from its authority, in its time, for its use",
          "[certificate]") {
  Issued issued;
  const Certificate& ca = issued.authority.certificate();
  const Certificate certificate = issued.Issue();
  const WallTime begin = issued.content.not_before;
  const WallTime end = issued.content.not_after;
  CHECK(certificate.CheckIssuedBy(ca, Usage::kClient, issued.now).ok());
  CHECK(certificate.CheckIssuedBy(ca, Usage::kServer, issued.now).ok());
  CHECK(certificate.CheckIssuedBy(ca, Usage::kClient, begin - 4min).ok());
  CHECK(certificate.CheckIssuedBy(ca, Usage::kClient, end + 4min).ok());
  CHECK(certificate.CheckIssuedBy(ca, Usage::kClient, begin - 6min) ==
        absl::UnauthenticatedError("certificate: it is not valid yet"));
  CHECK(certificate.CheckIssuedBy(ca, Usage::kClient, end + 6min) ==
        absl::UnauthenticatedError("certificate: it has expired"));

  const auto other =
      CertificateAuthority::Create("project default", issued.now - 1h, issued.now + 1h);
  CHECK(certificate.CheckIssuedBy(other.certificate(), Usage::kClient, issued.now) ==
        absl::UnauthenticatedError("certificate: issued by another authority"));
  CHECK_FALSE(certificate.CheckIssuedBy(certificate, Usage::kClient, issued.now).ok());
  CHECK_FALSE(ca.CheckIssuedBy(ca, Usage::kClient, issued.now).ok());

  issued.content.usages = {Usage::kClient};
  CHECK(issued.Issue().CheckIssuedBy(ca, Usage::kServer, issued.now) ==
        absl::UnauthenticatedError("certificate: not for a server"));
}

TEST_CASE("An authority issues nothing that outlives it", "[certificate]") {
  Issued issued;
  issued.content.not_after = issued.now + 10000h;
  CHECK(issued.Issue().not_after() == issued.authority.certificate().not_after());
}

TEST_CASE("An authority is put together again from its parts", "[certificate]") {
  const Issued issued;
  const Certificate& ca = issued.authority.certificate();
  const auto again =
      CertificateAuthority::FromParts(ca, *PrivateKey::FromPem(issued.authority.key().Pem()));
  REQUIRE(again.ok());
  CHECK(again->Issue(issued.key.public_key(), issued.content)
            .CheckIssuedBy(ca, Usage::kClient, issued.now)
            .ok());
  CHECK_FALSE(CertificateAuthority::FromParts(ca, issued.key).ok());
  CHECK_FALSE(CertificateAuthority::FromParts(issued.Issue(), issued.key).ok());
}

TEST_CASE("A certificate that was changed anywhere is not accepted", "[certificate]") {
  const Issued issued;
  const Certificate certificate = issued.Issue();
  const std::string der = certificate.der();
  for (size_t at = 0; at < der.size(); at += 7) {
    std::string changed = der;
    changed[at] = static_cast<char>(changed[at] ^ 0x20);
    const auto read = Certificate::FromDer(changed);
    CAPTURE(at);
    CHECK_FALSE(
        (read.ok() &&
         read->CheckIssuedBy(issued.authority.certificate(), Usage::kClient, issued.now).ok()));
  }
  CHECK_FALSE(Certificate::FromDer(der + "x").ok());
  CHECK_FALSE(Certificate::FromDer("").ok());
  CHECK_FALSE(Certificate::FromPem(certificate.Pem() + certificate.Pem()).ok());
  CHECK_FALSE(Certificate::FromPem("").ok());
}

TEST_CASE("A certificate request carries a key and shows that it is held", "[certificate]") {
  const PrivateKey key = PrivateKey::Generate();
  const std::string pem = MakeCertificateRequest(key);
  const auto read = ReadCertificateRequest(pem);
  REQUIRE(read.ok());
  CHECK(*read == key.public_key());
  int accepted = 0;
  for (size_t at = 40; at + 40 < pem.size(); at += 5) {
    std::string changed = pem;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    const auto other = ReadCertificateRequest(changed);
    if (other.ok()) ++accepted;
  }
  CHECK(accepted == 0);
  CHECK_FALSE(ReadCertificateRequest(std::string(9000, 'x')).ok());
}

}  // namespace
}  // namespace culvert::crypto
