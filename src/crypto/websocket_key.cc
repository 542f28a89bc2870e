#include "crypto/websocket_key.h"

#include <mbedtls/md.h>

#include <array>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "crypto/mbedtls.h"

namespace culvert::crypto {
namespace {

constexpr size_t kWebSocketKeyBytes = 16;
constexpr size_t kSha1Bytes = 20;
constexpr char kWebSocketGuid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

}  // namespace

std::optional<std::string> WebSocketAccept(std::string_view key) {
  std::string bytes;
  if (!absl::Base64Unescape({key.data(), key.size()}, &bytes)) return std::nullopt;
  if (bytes.size() != kWebSocketKeyBytes) return std::nullopt;
  const std::string text = std::string(key) + kWebSocketGuid;
  std::array<unsigned char, kSha1Bytes> digest{};
  const int error = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), Octets(text),
                               text.size(), digest.data());
  CULVERT_CHECK(error == 0);
  return absl::Base64Escape({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace culvert::crypto
