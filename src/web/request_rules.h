// What every request must keep to, whatever it asks for.
#pragma once

#include <optional>

#include "web/http_message.h"

namespace culvert::web {

// The answer to a request whose head breaks a rule; nothing if it may go on. No browser is served:
// a client certificate or an address on this machine would let any page speak in its user's name.
// `is_plain`: without TLS, where nothing else tells a name that was rebound from one of this
// machine's.
std::optional<HttpAnswer> RefuseHead(const HttpRequest& request, bool is_plain);
// Whether a body is to come.
bool HasBody(const HttpRequest& request);
// As RefuseHead, once the body is there.
std::optional<HttpAnswer> RefuseBody(const HttpRequest& request);
// Of a request for a WebSocket; `accept` is what proves the answer to it.
std::optional<HttpAnswer> RefuseHandshake(const HttpRequest& request, std::string& accept);

}  // namespace culvert::web
