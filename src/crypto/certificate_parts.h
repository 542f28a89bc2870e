// A certificate as mbedTLS has it. Included only inside src/crypto.
#pragma once

#include <mbedtls/x509_crt.h>

#include "crypto/mbedtls.h"

namespace culvert::crypto {

using CrtContext = Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;

}  // namespace culvert::crypto
