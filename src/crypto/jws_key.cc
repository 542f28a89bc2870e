#include "crypto/jws_key.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <array>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/digest.h"

namespace culvert::crypto {
namespace {

constexpr size_t kP256CoordinateBytes = 32;
constexpr size_t kLeastRsaBits = 2'048;
constexpr size_t kMostRsaBits = 8'192;
constexpr size_t kMostExponentBytes = 4;  // a longer one makes a check cost what signing costs
constexpr BN_ULONG kLeastExponent = 65'537;
constexpr size_t kMostPemBytes = size_t{8} * 1024;

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <typename T, auto kFree>
using LibcryptoPtr = std::unique_ptr<T, Free<kFree>>;

using Pkey = LibcryptoPtr<EVP_PKEY, &EVP_PKEY_free>;
using PkeyContext = LibcryptoPtr<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;
using Number = LibcryptoPtr<BIGNUM, &BN_free>;
using ParamBuilder = LibcryptoPtr<OSSL_PARAM_BLD, &OSSL_PARAM_BLD_free>;
using Params = LibcryptoPtr<OSSL_PARAM, &OSSL_PARAM_free>;

const unsigned char* OctetsOf(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number NumberFrom(std::string_view bytes) {
  Number number(BN_bin2bn(OctetsOf(bytes), static_cast<int>(bytes.size()), nullptr));
  CULVERT_CHECK(number != nullptr);
  return number;
}

std::string BytesOf(const BIGNUM& number, size_t size) {
  std::string bytes(size, '\0');
  const int written =
      BN_bn2binpad(&number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size));
  CULVERT_CHECK(written == static_cast<int>(size));
  return bytes;
}

// Null if libcrypto does not take it.
Pkey MakeKey(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  const bool made = params != nullptr && context != nullptr &&
                    EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  ERR_clear_error();
  return Pkey(made ? key : nullptr);
}

// Whether the point is on the curve, and not its end.
bool IsSound(EVP_PKEY* key) {
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  const bool sound = context != nullptr && EVP_PKEY_public_check(context.get()) == 1;
  ERR_clear_error();
  return sound;
}

// A number of an RSA or EC key; null if it has none of that name.
Number NumberIn(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  const bool got = EVP_PKEY_get_bn_param(key, name, &number) == 1;
  ERR_clear_error();
  return Number(got ? number : nullptr);
}

// The two numbers as DER, which is what libcrypto reads; nothing if they are not that long.
std::optional<std::string> DerSignature(std::string_view signature) {
  if (signature.size() != 2 * kP256CoordinateBytes) return std::nullopt;
  const LibcryptoPtr<ECDSA_SIG, &ECDSA_SIG_free> pair(ECDSA_SIG_new());
  Number r = NumberFrom(signature.substr(0, kP256CoordinateBytes));
  Number s = NumberFrom(signature.substr(kP256CoordinateBytes));
  CULVERT_CHECK(pair != nullptr && ECDSA_SIG_set0(pair.get(), r.release(), s.release()) == 1);
  std::array<unsigned char, 2 * kP256CoordinateBytes + 16> der{};
  unsigned char* end = der.data();
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  CULVERT_CHECK(size > 0 && static_cast<size_t>(size) <= der.size());
  CULVERT_CHECK(i2d_ECDSA_SIG(pair.get(), &end) == size);
  return std::string(reinterpret_cast<const char*>(der.data()), static_cast<size_t>(size));
}

absl::Status CheckRsa(std::string_view modulus, std::string_view exponent) {
  if (modulus.size() > kMostRsaBits / 8 || exponent.size() > kMostExponentBytes ||
      modulus.empty() || exponent.empty() || modulus.front() == 0 || exponent.front() == 0) {
    return absl::InvalidArgumentError("RSA key: a number of a size that is not taken");
  }
  const Number n = NumberFrom(modulus);
  const Number e = NumberFrom(exponent);
  const auto bits = static_cast<size_t>(BN_num_bits(n.get()));
  if (bits < kLeastRsaBits || bits > kMostRsaBits) {
    return absl::InvalidArgumentError(
        fmt::format("RSA key of {} bits: expected {} to {}", bits, kLeastRsaBits, kMostRsaBits));
  }
  if (BN_is_odd(n.get()) == 1 && BN_is_odd(e.get()) == 1 && BN_get_word(e.get()) >= kLeastExponent)
    return absl::OkStatus();
  return absl::InvalidArgumentError("RSA key: its numbers are none of such a key");
}

// What stands in a PEM text, rebuilt from its numbers: one form for equal keys.
absl::StatusOr<JwsKey> Rebuild(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    const Number n = NumberIn(key, OSSL_PKEY_PARAM_RSA_N);
    const Number e = NumberIn(key, OSSL_PKEY_PARAM_RSA_E);
    if (n == nullptr || e == nullptr) return absl::InvalidArgumentError("RSA key: incomplete");
    return JwsKey::FromRsa(BytesOf(*n, static_cast<size_t>(BN_num_bytes(n.get()))),
                           BytesOf(*e, static_cast<size_t>(BN_num_bytes(e.get()))));
  }
  std::array<char, 64> group{};
  const bool is_p256 = EVP_PKEY_is_a(key, "EC") == 1 &&
                       EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
                       std::string_view(group.data()) == SN_X9_62_prime256v1;
  ERR_clear_error();
  if (!is_p256) return absl::InvalidArgumentError("public key: expected one of P-256 or RSA");
  const Number x = NumberIn(key, OSSL_PKEY_PARAM_EC_PUB_X);
  const Number y = NumberIn(key, OSSL_PKEY_PARAM_EC_PUB_Y);
  if (x == nullptr || y == nullptr) return absl::InvalidArgumentError("public key: incomplete");
  return JwsKey::FromPoint(BytesOf(*x, kP256CoordinateBytes), BytesOf(*y, kP256CoordinateBytes));
}

}  // namespace

struct JwsKey::Parts {
  JwsAlgorithm algorithm;
  std::string jwk;
  std::string thumbprint;
  Pkey key;
};

std::string_view JwsAlgorithmName(JwsAlgorithm algorithm) {
  return algorithm == JwsAlgorithm::kEs256 ? "ES256" : "RS256";
}

JwsAlgorithm JwsKey::algorithm() const { return parts_->algorithm; }
const std::string& JwsKey::jwk() const { return parts_->jwk; }
const std::string& JwsKey::thumbprint() const { return parts_->thumbprint; }

absl::StatusOr<JwsKey> JwsKey::FromPoint(std::string_view x, std::string_view y) {
  if (x.size() != kP256CoordinateBytes || y.size() != kP256CoordinateBytes) {
    return absl::InvalidArgumentError("key of P-256: a coordinate has 32 bytes");
  }
  const std::string point = fmt::format("\x04{}{}", x, y);  // uncompressed (SEC 1 §2.3.3)
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  CULVERT_CHECK(builder != nullptr &&
                OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                                SN_X9_62_prime256v1, 0) == 1 &&
                OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                                 point.data(), point.size()) == 1);
  Pkey key = MakeKey("EC", builder.get());
  if (key == nullptr || !IsSound(key.get())) {
    return absl::InvalidArgumentError("key of P-256: not a point of the curve");
  }
  std::string jwk =
      fmt::format(R"({{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}})", Base64Url(x), Base64Url(y));
  std::string thumbprint = Base32(Sha256(jwk));
  return JwsKey(std::make_shared<const Parts>(
      Parts{JwsAlgorithm::kEs256, std::move(jwk), std::move(thumbprint), std::move(key)}));
}

absl::StatusOr<JwsKey> JwsKey::FromRsa(std::string_view modulus, std::string_view exponent) {
  CULVERT_RETURN_IF_ERROR(CheckRsa(modulus, exponent));
  const Number n = NumberFrom(modulus);
  const Number e = NumberFrom(exponent);
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  CULVERT_CHECK(builder != nullptr &&
                OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
                OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
  Pkey key = MakeKey("RSA", builder.get());
  if (key == nullptr) return absl::InvalidArgumentError("RSA key: not usable");
  std::string jwk =
      fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})", Base64Url(exponent), Base64Url(modulus));
  std::string thumbprint = Base32(Sha256(jwk));
  return JwsKey(std::make_shared<const Parts>(
      Parts{JwsAlgorithm::kRs256, std::move(jwk), std::move(thumbprint), std::move(key)}));
}

absl::StatusOr<JwsKey> JwsKey::FromPem(std::string_view pem) {
  if (pem.size() > kMostPemBytes) return absl::InvalidArgumentError("public key: too large");
  const LibcryptoPtr<BIO, &BIO_free> memory(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CULVERT_CHECK(memory != nullptr);
  const Pkey key(PEM_read_bio_PUBKEY(memory.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (key != nullptr) return Rebuild(key.get());
  return absl::InvalidArgumentError("no public key in PEM (BEGIN PUBLIC KEY)");
}

bool JwsKey::Verifies(std::string_view message, std::string_view signature) const {
  std::string form(signature);
  if (algorithm() == JwsAlgorithm::kEs256) {
    std::optional<std::string> der = DerSignature(signature);
    if (!der) return false;
    form = *std::move(der);
  }
  const LibcryptoPtr<EVP_MD_CTX, &EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  CULVERT_CHECK(context != nullptr);
  // For RSA this is PKCS #1 v1.5 (RFC 8017 §8.2.2), which is what RS256 means.
  const bool verified =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, parts_->key.get()) == 1 &&
      EVP_DigestVerify(context.get(), OctetsOf(form), form.size(), OctetsOf(message),
                       message.size()) == 1;
  ERR_clear_error();
  return verified;
}

}  // namespace culvert::crypto
