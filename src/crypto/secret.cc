#include "crypto/secret.h"

#include <mbedtls/platform_util.h>

namespace culvert::crypto {

void Wipe(void* memory, size_t size) { mbedtls_platform_zeroize(memory, size); }

}  // namespace culvert::crypto
