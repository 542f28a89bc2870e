// Signs JSON Web Tokens, good ones and others.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace culvert::test {

// A new key of P-256 or RSA. For the test thread.
class JwtSigner {
 public:
  enum class Kind { kEc, kRsa };
  enum class Form { kJws, kDer };

  explicit JwtSigner(Kind kind, unsigned rsa_bits = 2048);

  // SubjectPublicKeyInfo.
  std::string PublicPem() const;
  std::string PrivatePem() const;
  // With that kid; without one if it is empty.
  std::string Jwk(const std::string& kid) const;

  // {"alg": …, "kid": …} and these claims, signed. The kid is left out if it is empty.
  std::string Sign(const std::string& kid, const std::string& claims) const;
  // The same with a header of the test's own.
  std::string SignAs(const std::string& header, const std::string& claims,
                     Form form = Form::kJws) const;

 private:
  const Kind kind_;
  const std::shared_ptr<EVP_PKEY> key_;
};

// {"keys": [...]}, of JWKs with a ',' between them.
inline std::string KeySet(const std::string& jwks) { return R"({"keys":[)" + jwks + "]}"; }

// The claims of a token that lives from `issued` for `seconds`, both counted from now, with what
// `more` adds: `,"nbf":1`.
std::string Claims(const std::string& issuer, const std::string& subject,
                   const std::string& audience, int issued = 0, int seconds = 600,
                   const std::string& more = "");

// HMAC-SHA256 of a token with `secret`, whoever knows it: what HS256 would be.
std::string SignHs256(const std::string& claims, std::string_view secret);

}  // namespace culvert::test
