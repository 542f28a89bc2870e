#include "crypto/key.h"

#include <fmt/format.h>
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/key_parts.h"

namespace culvert::crypto {
namespace {

constexpr size_t kCoordinateBytes = 32;
constexpr size_t kMostKeyBytes = 1024;  // in any form that is read or written here

const mbedtls_ecp_keypair& KeyPairOf(const mbedtls_pk_context& pk) {
  const mbedtls_ecp_keypair* const pair = mbedtls_pk_ec(pk);
  CULVERT_CHECK(pair != nullptr);
  return *pair;
}

// X and Y, one after the other.
std::string Coordinates(const mbedtls_pk_context& pk) {
  const mbedtls_ecp_keypair& pair = KeyPairOf(pk);
  std::array<unsigned char, 1 + 2 * kCoordinateBytes> point{};
  size_t size = 0;
  const int error = mbedtls_ecp_point_write_binary(
      &pair.MBEDTLS_PRIVATE(grp), &pair.MBEDTLS_PRIVATE(Q), MBEDTLS_ECP_PF_UNCOMPRESSED, &size,
      point.data(), point.size());
  CULVERT_CHECK(error == 0 && size == point.size());
  return {reinterpret_cast<const char*>(point.data()) + 1, size - 1};
}

// RFC 7638: the required members in the order of the alphabet, without white space.
std::string Thumbprint(std::string_view x, std::string_view y) {
  const std::string jwk =
      fmt::format(R"({{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}})", Base64Url(x), Base64Url(y));
  return Base32(Sha256(jwk));
}

absl::Status ParsePublicKey(PkContext& pk, std::string_view der) {
  const int error = mbedtls_pk_parse_public_key(pk.get(), Octets(der), der.size());
  if (error != 0) return MbedError(error, "public key");
  return CheckP256(*pk.get(), "public key");
}

// mbedTLS wants the terminating zero to be counted, or takes the text for DER.
int ParsePrivateKey(PkContext& pk, const std::string& pem) {
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_parse_key(pk.get(), Octets(pem), pem.size() + 1, nullptr, 0, MbedRandom,
                              nullptr);
#else
  return mbedtls_pk_parse_key(pk.get(), Octets(pem), pem.size() + 1, nullptr, 0);
#endif
}

}  // namespace

absl::Status CheckP256(const mbedtls_pk_context& pk, std::string_view what) {
  const bool is_p256 = mbedtls_pk_can_do(&pk, MBEDTLS_PK_ECDSA) != 0 &&
                       KeyPairOf(pk).MBEDTLS_PRIVATE(grp).id == MBEDTLS_ECP_DP_SECP256R1;
  if (is_p256) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}: not on the curve P-256", what));
}

std::string WritePublicKey(const mbedtls_pk_context& pk) {
  std::array<unsigned char, kMostKeyBytes> buffer{};
  // It only reads the key, and writes at the end of the buffer.
  const int size = mbedtls_pk_write_pubkey_der(const_cast<mbedtls_pk_context*>(&pk), buffer.data(),
                                               buffer.size());
  CULVERT_CHECK(size > 0);
  const auto* end = reinterpret_cast<const char*>(buffer.data() + buffer.size());
  return {end - size, static_cast<size_t>(size)};
}

// --- PublicKey ---

absl::StatusOr<PublicKey> PublicKey::FromDer(std::string_view der) {
  PkContext pk;
  CULVERT_RETURN_IF_ERROR(ParsePublicKey(pk, der));
  auto parts = std::make_shared<Parts>();
  parts->der = WritePublicKey(*pk.get());  // one form for equal keys
  const std::string coordinates = Coordinates(*pk.get());
  parts->x = coordinates.substr(0, kCoordinateBytes);
  parts->y = coordinates.substr(kCoordinateBytes);
  parts->id = Thumbprint(parts->x, parts->y);
  return PublicKey(std::move(parts));
}

bool PublicKey::Verifies(std::string_view message, std::string_view signature) const {
  PkContext pk;
  CULVERT_CHECK(ParsePublicKey(pk, der()).ok());
  const std::string hash = Sha256(message);
  return mbedtls_pk_verify(pk.get(), MBEDTLS_MD_SHA256, Octets(hash), hash.size(),
                           Octets(signature), signature.size()) == 0;
}

// --- PrivateKey ---

PrivateKey PrivateKey::Generate() {
  auto parts = std::make_shared<Parts>();
  const MutexLock lock(parts->mutex);
  mbedtls_pk_context* const pk = parts->pk.get();
  CULVERT_CHECK(mbedtls_pk_setup(pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
  CULVERT_CHECK(
      mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*pk), MbedRandom, nullptr) == 0);
  parts->public_key = *PublicKey::FromDer(WritePublicKey(*pk));
  return PrivateKey(parts);
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  auto parts = std::make_shared<Parts>();
  const MutexLock lock(parts->mutex);
  std::string text(pem);
  const int error = ParsePrivateKey(parts->pk, text);
  mbedtls_platform_zeroize(text.data(), text.size());
  if (error != 0) return MbedError(error, "private key");
  CULVERT_RETURN_IF_ERROR(CheckP256(*parts->pk.get(), "private key"));
  CULVERT_ASSIGN_OR_RETURN(parts->public_key, PublicKey::FromDer(WritePublicKey(*parts->pk.get())));
  return PrivateKey(parts);
}

const PublicKey& PrivateKey::public_key() const { return *parts_->public_key; }

std::string PrivateKey::Pem() const {
  std::array<unsigned char, kMostKeyBytes> buffer{};
  const MutexLock lock(parts_->mutex);
  CULVERT_CHECK(mbedtls_pk_write_key_pem(parts_->pk.get(), buffer.data(), buffer.size()) == 0);
  std::string pem(reinterpret_cast<const char*>(buffer.data()));
  mbedtls_platform_zeroize(buffer.data(), buffer.size());
  return pem;
}

std::string PrivateKey::Sign(std::string_view message) const {
  const std::string hash = Sha256(message);
  std::array<unsigned char, MBEDTLS_PK_SIGNATURE_MAX_SIZE> signature{};
  size_t size = 0;
  const MutexLock lock(parts_->mutex);
#if MBEDTLS_VERSION_MAJOR >= 3
  const int error = mbedtls_pk_sign(parts_->pk.get(), MBEDTLS_MD_SHA256, Octets(hash), hash.size(),
                                    signature.data(), signature.size(), &size, MbedRandom, nullptr);
#else
  const int error = mbedtls_pk_sign(parts_->pk.get(), MBEDTLS_MD_SHA256, Octets(hash), hash.size(),
                                    signature.data(), &size, MbedRandom, nullptr);
#endif
  CULVERT_CHECK(error == 0);
  return {reinterpret_cast<const char*>(signature.data()), size};
}

}  // namespace culvert::crypto
