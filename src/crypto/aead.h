// AES-256-GCM, for what a program seals for itself to open later.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/secret.h"

namespace culvert::crypto {

inline constexpr size_t kAeadKeyBytes = 32;
inline constexpr size_t kAeadNonceBytes = 12;
inline constexpr size_t kAeadTagBytes = 16;

using AeadKey = Secret<kAeadKeyBytes>;
using AeadNonce = std::array<unsigned char, kAeadNonceBytes>;

// The ciphertext with the tag behind it. Two calls with one key and one nonce give both away: with
// nonces drawn at random, 2^32 calls a key are the most (NIST SP 800-38D).
std::string AeadSeal(const AeadKey& key, const AeadNonce& nonce, std::string_view authenticated,
                     std::string_view plaintext);
// Nothing unless AeadSeal made `sealed` with the same key, nonce and authenticated data.
std::optional<std::string> AeadOpen(const AeadKey& key, const AeadNonce& nonce,
                                    std::string_view authenticated, std::string_view sealed);

}  // namespace culvert::crypto
