// A private key as mbedTLS has it. Included only inside src/crypto.
#pragma once

#include <mbedtls/pk.h>

#include <optional>

#include "base/mutex.h"
#include "crypto/key.h"
#include "crypto/mbedtls.h"

namespace culvert::crypto {

using PkContext = Owned<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;

// mbedTLS changes a key while it signs (blinding, precomputed points): one user at a time.
struct PrivateKey::Parts {
  Mutex mutex;
  PkContext pk ABSL_GUARDED_BY(mutex);
  std::optional<PublicKey> public_key;
};

// INVALID_ARGUMENT unless `pk` is on P-256. `what` begins the message.
absl::Status CheckP256(const mbedtls_pk_context& pk, std::string_view what);
// SubjectPublicKeyInfo, DER, of a key that passed CheckP256.
std::string WritePublicKey(const mbedtls_pk_context& pk);

}  // namespace culvert::crypto
