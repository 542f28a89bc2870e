#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "crypto/mbedtls.h"
#include "crypto/record_cipher.h"

namespace culvert::crypto {
namespace {

struct FreeCipherContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

class LibcryptoCipher final : public RecordCipher {
 public:
  LibcryptoCipher(const EVP_CIPHER* cipher, const TrafficKey& key, Use use)
      : context_(EVP_CIPHER_CTX_new()) {
    // A call later sets only the nonce: scheduling the key costs more than a small record.
    CULVERT_CHECK(context_ != nullptr);
    CULVERT_CHECK(EVP_CipherInit_ex(context_.get(), cipher, nullptr, key.key.data(), nullptr,
                                    use == Use::kSeal ? 1 : 0) == 1);
  }

  void Seal(const Nonce& nonce, std::string_view authenticated, std::string_view plaintext,
            char* out) override {
    auto* const to = reinterpret_cast<unsigned char*>(out);
    Begin(nonce, authenticated);
    CULVERT_CHECK(Update(to, plaintext));
    int size = 0;
    CULVERT_CHECK(EVP_CipherFinal_ex(context_.get(), to + plaintext.size(), &size) == 1);
    CULVERT_CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes,
                                      to + plaintext.size()) == 1);
  }

  bool Open(const Nonce& nonce, std::string_view authenticated, std::string_view sealed,
            char* out) override {
    CULVERT_CHECK(sealed.size() >= kTagBytes);
    std::array<unsigned char, kTagBytes> tag;
    sealed.copy(reinterpret_cast<char*>(tag.data()), kTagBytes, sealed.size() - kTagBytes);
    sealed.remove_suffix(kTagBytes);
    auto* const to = reinterpret_cast<unsigned char*>(out);
    Begin(nonce, authenticated);
    CULVERT_CHECK(
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1);
    int size = 0;
    if (Update(to, sealed) && EVP_CipherFinal_ex(context_.get(), to + sealed.size(), &size) == 1)
      return true;
    ERR_clear_error();  // gRPC looks at this thread's queue too
    return false;
  }

 private:
  void Begin(const Nonce& nonce, std::string_view authenticated) {
    int size = 0;
    CULVERT_CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), -1) ==
                  1);
    CULVERT_CHECK(EVP_CipherUpdate(context_.get(), nullptr, &size, Octets(authenticated),
                                   static_cast<int>(authenticated.size())) == 1);
  }

  bool Update(unsigned char* to, std::string_view from) {
    int size = 0;
    return from.empty() || EVP_CipherUpdate(context_.get(), to, &size, Octets(from),
                                            static_cast<int>(from.size())) == 1;
  }

  std::unique_ptr<EVP_CIPHER_CTX, FreeCipherContext> context_;
};

}  // namespace

std::unique_ptr<RecordCipher> MakeLibcryptoCipher(TlsSuite suite, const TrafficKey& key,
                                                  RecordCipher::Use use) {
  return std::make_unique<LibcryptoCipher>(
      suite == TlsSuite::kAes128Gcm ? EVP_aes_128_gcm() : EVP_chacha20_poly1305(), key, use);
}

}  // namespace culvert::crypto
