#include "crypto/websocket_key.h"

#include "tests/support/catch.h"

namespace culvert::crypto {

TEST_CASE("WebSocketAccept answers a key as RFC 6455 says and none that is not 16 bytes", "[web]") {
  CHECK(WebSocketAccept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  for (const char* key : {"", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQQ=", "?"}) {
    CHECK(WebSocketAccept(key) == std::nullopt);
  }
}

}  // namespace culvert::crypto
