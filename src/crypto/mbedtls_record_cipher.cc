#include <mbedtls/cipher.h>

#include "base/check.h"
#include "crypto/mbedtls.h"
#include "crypto/record_cipher.h"

namespace culvert::crypto {
namespace {

class MbedtlsCipher final : public RecordCipher {
 public:
  MbedtlsCipher(mbedtls_cipher_type_t type, const TrafficKey& key, Use use) {
    const mbedtls_cipher_info_t* const info = mbedtls_cipher_info_from_type(type);
    CULVERT_CHECK(info != nullptr && mbedtls_cipher_setup(context_.get(), info) == 0);
    CULVERT_CHECK(mbedtls_cipher_setkey(
                      context_.get(), key.key.data(), mbedtls_cipher_get_key_bitlen(context_.get()),
                      use == Use::kSeal ? MBEDTLS_ENCRYPT : MBEDTLS_DECRYPT) == 0);
  }

  void Seal(const Nonce& nonce, std::string_view authenticated, std::string_view plaintext,
            char* out) override {
    size_t size = 0;
    const int error = mbedtls_cipher_auth_encrypt_ext(
        context_.get(), nonce.data(), nonce.size(), Octets(authenticated), authenticated.size(),
        Octets(plaintext), plaintext.size(), reinterpret_cast<unsigned char*>(out),
        plaintext.size() + kTagBytes, &size, kTagBytes);
    CULVERT_CHECK(error == 0 && size == plaintext.size() + kTagBytes);
  }

  bool Open(const Nonce& nonce, std::string_view authenticated, std::string_view sealed,
            char* out) override {
    CULVERT_CHECK(sealed.size() >= kTagBytes);
    size_t size = 0;
    return mbedtls_cipher_auth_decrypt_ext(context_.get(), nonce.data(), nonce.size(),
                                           Octets(authenticated), authenticated.size(),
                                           Octets(sealed), sealed.size(),
                                           reinterpret_cast<unsigned char*>(out),
                                           sealed.size() - kTagBytes, &size, kTagBytes) == 0;
  }

 private:
  Owned<mbedtls_cipher_context_t, mbedtls_cipher_init, mbedtls_cipher_free> context_;
};

}  // namespace

std::unique_ptr<RecordCipher> MakeMbedtlsCipher(TlsSuite suite, const TrafficKey& key,
                                                RecordCipher::Use use) {
  return std::make_unique<MbedtlsCipher>(
      suite == TlsSuite::kAes128Gcm ? MBEDTLS_CIPHER_AES_128_GCM : MBEDTLS_CIPHER_CHACHA20_POLY1305,
      key, use);
}

std::unique_ptr<RecordCipher> MakeRecordCipher(RecordLayer layer, TlsSuite suite,
                                               const TrafficKey& key, RecordCipher::Use use) {
  return layer == RecordLayer::kLibcrypto ? MakeLibcryptoCipher(suite, key, use)
                                          : MakeMbedtlsCipher(suite, key, use);
}

}  // namespace culvert::crypto
