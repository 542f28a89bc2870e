// What proves that a Hello comes from an end of the channel: nobody else has the key.
#pragma once

#include <cstdint>
#include <string>

#include "crypto/secret.h"
#include "crypto/tls_keys.h"
#include "culvert/v1/stitch.pb.h"

namespace culvert::stitch {

// Whose Hello it is: one cannot be sent back to who said it.
enum class HelloRole : uint8_t { kConsumer = 1, kProvider = 2 };

// What the channel's end-to-end TLS session left at both ends: crypto::TlsSecured::exported.
using HelloKey = crypto::Secret<crypto::kExportedBytes>;

// HMAC-SHA256 over role, channel, attempt and last id of `hello`, each of a fixed size.
std::string HelloMac(const HelloKey& key, HelloRole role, const v1::StitchHello& hello);
// Whether `hello` has the code that its sender, `role`, must give it. In constant time.
bool HasHelloMac(const HelloKey& key, HelloRole role, const v1::StitchHello& hello);

}  // namespace culvert::stitch
