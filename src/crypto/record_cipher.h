// The authenticated ciphers of TLS 1.2 records (RFC 5288, RFC 7905), by two libraries: the same
// bytes on the wire, libcrypto's about fifteen times as fast.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "crypto/secret.h"

namespace culvert::crypto {

// Both with ECDHE and ECDSA.
enum class TlsSuite { kAes128Gcm, kChaCha20Poly1305 };

// Whose ciphers seal and open the records.
enum class RecordLayer { kLibcrypto, kMbedtls };

inline constexpr size_t kNonceBytes = 12;
inline constexpr size_t kTagBytes = 16;
using Nonce = std::array<unsigned char, kNonceBytes>;

// What one direction of a connection is sealed with. AES-128 has 16 bytes of the key and 4 of the
// nonce, ChaCha20 has all.
struct TrafficKey {
  Secret<32> key;
  Secret<kNonceBytes> nonce;
};

// One key and one direction. Knows nothing of records: nonces and their uniqueness are the
// caller's. Confined to one thread at a time. Its copy of the key is wiped with it.
class RecordCipher {
 public:
  enum class Use { kSeal, kOpen };

  virtual ~RecordCipher() = default;
  RecordCipher(const RecordCipher&) = delete;
  RecordCipher& operator=(const RecordCipher&) = delete;

  // Writes `plaintext` sealed, and the tag, to `out`: kTagBytes more than `plaintext` has.
  virtual void Seal(const Nonce& nonce, std::string_view authenticated, std::string_view plaintext,
                    char* out) = 0;
  // Writes what was sealed to `out`, kTagBytes fewer than `sealed` has, which must have as many.
  // False, and nothing of use in `out`, unless all of it is as the other side sealed it.
  [[nodiscard]] virtual bool Open(const Nonce& nonce, std::string_view authenticated,
                                  std::string_view sealed, char* out) = 0;

 protected:
  RecordCipher() = default;
};

std::unique_ptr<RecordCipher> MakeRecordCipher(RecordLayer layer, TlsSuite suite,
                                               const TrafficKey& key, RecordCipher::Use use);

// The two that MakeRecordCipher chooses from.
std::unique_ptr<RecordCipher> MakeLibcryptoCipher(TlsSuite suite, const TrafficKey& key,
                                                  RecordCipher::Use use);
std::unique_ptr<RecordCipher> MakeMbedtlsCipher(TlsSuite suite, const TrafficKey& key,
                                                RecordCipher::Use use);

}  // namespace culvert::crypto
