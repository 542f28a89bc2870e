#include "crypto/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

#include "base/check.h"
#include "crypto/mbedtls.h"

namespace culvert::crypto {
namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

unsigned char* Mutable(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

bool Update(EVP_CIPHER_CTX* context, unsigned char* to, std::string_view from) {
  int size = 0;
  return from.empty() ||
         EVP_CipherUpdate(context, to, &size, Octets(from), static_cast<int>(from.size())) == 1;
}

Context Begin(const AeadKey& key, const AeadNonce& nonce, std::string_view authenticated,
              bool seal) {
  Context context(EVP_CIPHER_CTX_new());
  CULVERT_CHECK(context != nullptr);
  CULVERT_CHECK(EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(),
                                  nonce.data(), seal ? 1 : 0) == 1);
  CULVERT_CHECK(Update(context.get(), nullptr, authenticated));
  return context;
}

}  // namespace

std::string AeadSeal(const AeadKey& key, const AeadNonce& nonce, std::string_view authenticated,
                     std::string_view plaintext) {
  const Context context = Begin(key, nonce, authenticated, true);
  std::string sealed(plaintext.size() + kAeadTagBytes, '\0');
  unsigned char* const tag = Mutable(sealed) + plaintext.size();
  int size = 0;
  CULVERT_CHECK(Update(context.get(), Mutable(sealed), plaintext));
  CULVERT_CHECK(EVP_CipherFinal_ex(context.get(), tag, &size) == 1);
  CULVERT_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, tag) == 1);
  return sealed;
}

std::optional<std::string> AeadOpen(const AeadKey& key, const AeadNonce& nonce,
                                    std::string_view authenticated, std::string_view sealed) {
  if (sealed.size() < kAeadTagBytes) return std::nullopt;
  const Context context = Begin(key, nonce, authenticated, false);
  std::string tag(sealed.substr(sealed.size() - kAeadTagBytes));
  sealed.remove_suffix(kAeadTagBytes);
  CULVERT_CHECK(
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, tag.data()) == 1);
  std::string plaintext(sealed.size(), '\0');
  unsigned char nothing = 0;
  int size = 0;
  if (Update(context.get(), Mutable(plaintext), sealed) &&
      EVP_CipherFinal_ex(context.get(), &nothing, &size) == 1) {
    return plaintext;
  }
  ERR_clear_error();  // gRPC looks at this thread's queue too
  return std::nullopt;
}

}  // namespace culvert::crypto
