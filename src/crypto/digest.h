// SHA-256 and HMAC, the text forms of what it gives, and comparing secrets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culvert::crypto {

inline constexpr size_t kSha256Bytes = 32;

// FIPS 180-4. 32 bytes.
std::string Sha256(std::string_view data);
// RFC 2104 with SHA-256. 32 bytes.
std::string HmacSha256(std::string_view key, std::string_view data);

// RFC 4648 §6 in lower case without padding; what key ids are written in.
std::string Base32(std::string_view bytes);
// What Base32 made `text` of; nothing if that is no text of it. Not constant in time.
std::optional<std::string> FromBase32(std::string_view text);
// Whether `text` has the form of a key id or a fingerprint: the Base32 of 32 bytes.
bool IsKeyId(std::string_view text);
// RFC 4648 §5 without padding; what JWKs and JWTs are written in.
std::string Base64Url(std::string_view bytes);
// What Base64Url made `text` of; nothing if that is no text of it: no padding, no white space, no
// bits left over. Not constant in time.
std::optional<std::string> FromBase64Url(std::string_view text);

// Takes as long for strings of one size whatever is in them. Strings of different sizes differ.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace culvert::crypto
