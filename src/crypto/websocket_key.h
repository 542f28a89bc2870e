// What proves to a client of WebSockets that it talks to a server of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace culvert::crypto {

// The Sec-WebSocket-Accept for this Sec-WebSocket-Key (RFC 6455 §4.2.2). Nothing if the key is not
// the Base64 of 16 bytes.
std::optional<std::string> WebSocketAccept(std::string_view key);

}  // namespace culvert::crypto
