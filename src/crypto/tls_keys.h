// What a finished handshake leaves behind, and the keys that follow from it (RFC 5246 §6.3).
#pragma once

#include <cstddef>

#include "crypto/record_cipher.h"
#include "crypto/secret.h"

namespace culvert::crypto {

enum class TlsRole { kServer, kClient };

inline constexpr size_t kExportedBytes = 32;

// The result of the key exchange.
struct TlsMaster {
  Secret<48> secret;
  Secret<32> client_random;
  Secret<32> server_random;
};

// What one side seals and opens its records with.
struct TlsKeys {
  TlsSuite suite = TlsSuite::kAes128Gcm;
  TrafficKey seal;
  TrafficKey open;
};

// The keys of `role`'s side, for `keys->suite`.
void DeriveTlsKeys(const TlsMaster& master, TlsRole role, TlsKeys* keys);

// A secret that both sides of this connection have and nobody else (RFC 5705, label
// "EXPERIMENTAL culvert path", no context), to authenticate other paths of the same channel with.
void DeriveExported(const TlsMaster& master, Secret<kExportedBytes>* exported);

}  // namespace culvert::crypto
