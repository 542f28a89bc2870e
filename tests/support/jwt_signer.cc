#include "tests/support/jwt_signer.h"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <ctime>

#include "crypto/digest.h"
#include "crypto/jws_key.h"
#include "tests/support/catch.h"

namespace culvert::test {
namespace {

const unsigned char* Octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Two numbers of 32 bytes instead of DER.
std::string RawSignature(const std::string& der) {
  const unsigned char* at = Octets(der);
  ECDSA_SIG* const pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  REQUIRE(pair != nullptr);
  std::string raw(64, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(raw.data());
  REQUIRE(BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32);
  REQUIRE(BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32);
  ECDSA_SIG_free(pair);
  return raw;
}

template <typename Write>
std::string PemOf(Write write) {
  BIO* const memory = BIO_new(BIO_s_mem());
  REQUIRE(write(memory) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(memory);
  return pem;
}

}  // namespace

JwtSigner::JwtSigner(Kind kind, unsigned rsa_bits)
    : kind_(kind),
      key_(kind == Kind::kEc ? EVP_EC_gen("P-256") : EVP_RSA_gen(rsa_bits), &EVP_PKEY_free) {
  REQUIRE(key_ != nullptr);
}

std::string JwtSigner::PublicPem() const {
  return PemOf([this](BIO* memory) { return PEM_write_bio_PUBKEY(memory, key_.get()); });
}

std::string JwtSigner::PrivatePem() const {
  return PemOf([this](BIO* memory) {
    return PEM_write_bio_PrivateKey(memory, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string JwtSigner::Jwk(const std::string& kid) const {
  std::string jwk = crypto::JwsKey::FromPem(PublicPem())->jwk();
  if (!kid.empty()) jwk.insert(1, fmt::format(R"("kid":"{}",)", kid));
  return jwk;
}

std::string JwtSigner::Sign(const std::string& kid, const std::string& claims) const {
  const std::string alg = kind_ == Kind::kEc ? "ES256" : "RS256";
  return SignAs(kid.empty() ? fmt::format(R"({{"alg":"{}"}})", alg)
                            : fmt::format(R"({{"alg":"{}","kid":"{}"}})", alg, kid),
                claims);
}

std::string JwtSigner::SignAs(const std::string& header, const std::string& claims,
                              Form form) const {
  const std::string text = crypto::Base64Url(header) + "." + crypto::Base64Url(claims);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  REQUIRE(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) == 1);
  size_t size = 0;
  REQUIRE(EVP_DigestSign(context, nullptr, &size, Octets(text), text.size()) == 1);
  std::string signature(size, '\0');
  REQUIRE(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                         Octets(text), text.size()) == 1);
  EVP_MD_CTX_free(context);
  signature.resize(size);
  if (kind_ == Kind::kEc && form == Form::kJws) signature = RawSignature(signature);
  return text + "." + crypto::Base64Url(signature);
}

std::string Claims(const std::string& issuer, const std::string& subject,
                   const std::string& audience, int issued, int seconds, const std::string& more) {
  const auto iat = static_cast<int64_t>(std::time(nullptr)) + issued;
  return fmt::format(R"({{"iss":"{}","sub":"{}","aud":"{}","iat":{},"exp":{}{}}})", issuer, subject,
                     audience, iat, iat + seconds, more);
}

std::string SignHs256(const std::string& claims, std::string_view secret) {
  const std::string text =
      crypto::Base64Url(R"({"alg":"HS256"})") + "." + crypto::Base64Url(claims);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  REQUIRE(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), Octets(text),
               text.size(), mac, &size) != nullptr);
  return text + "." + crypto::Base64Url({reinterpret_cast<const char*>(mac), size});
}

}  // namespace culvert::test
