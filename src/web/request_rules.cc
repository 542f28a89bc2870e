#include "web/request_rules.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "crypto/websocket_key.h"
#include "net/address.h"
#include "web/http_call.h"

namespace culvert::web {
namespace {

absl::string_view ForAbsl(std::string_view text) { return {text.data(), text.size()}; }

bool IsText(const std::optional<std::string_view>& value, absl::string_view text) {
  return value && absl::EqualsIgnoreCase(ForAbsl(*value), text);
}

HttpAnswer Denied(const char* why) { return ErrorAnswer(absl::PermissionDeniedError(why)); }

// "localhost", "127.0.0.1:7490", "[::1]:7490".
bool IsLocalHost(std::string_view host) {
  const size_t bracket = host.find(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  host = host.substr(0, colon);
  if (absl::EqualsIgnoreCase(ForAbsl(host), "localhost")) return true;
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const auto address = net::Address::FromLiteral(host, 0);
  return address.ok() && address->is_loopback();
}

// Whether a comma list has this token.
bool HasToken(const HttpRequest& request, std::string_view name, absl::string_view token) {
  for (const HttpField& field : request.fields) {
    if (field.name != name) continue;
    for (const absl::string_view part : absl::StrSplit(field.value, ',')) {
      if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(part), token)) return true;
    }
  }
  return false;
}

HttpAnswer UpgradeNeeded() {
  HttpAnswer answer =
      ErrorAnswer(426, absl::FailedPreconditionError("this is a WebSocket (RFC 6455, version 13)"));
  answer.fields = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
  return answer;
}

}  // namespace

std::optional<HttpAnswer> RefuseHead(const HttpRequest& request, bool is_plain) {
  if (request.Has("origin")) return Denied("no browser is served: a request with Origin");
  if (request.Has("sec-fetch-site") && !IsText(request.Only("sec-fetch-site"), "none")) {
    return Denied("no browser is served: a request with Sec-Fetch-Site");
  }
  if (is_plain && request.Has("host") && !IsLocalHost(*request.Only("host"))) {
    return Denied("without TLS the host must be localhost or a loopback address");
  }
  if (request.Has("expect") && !IsText(request.Only("expect"), "100-continue")) {
    return ErrorAnswer(417, absl::InvalidArgumentError("expect: 100-continue alone is known"));
  }
  if (request.target.empty() || request.target.front() != '/' ||
      request.target.find('#') != std::string::npos) {
    return ErrorAnswer(absl::InvalidArgumentError("request: the target must be a path"));
  }
  return std::nullopt;
}

bool HasBody(const HttpRequest& request) {
  if (request.Has("transfer-encoding")) return true;
  const auto length = request.Only("content-length");
  return length && *length != "0";
}

std::optional<HttpAnswer> RefuseBody(const HttpRequest& request) {
  if (request.body.empty()) return std::nullopt;
  const auto type = request.Only("content-type");
  if (type && IsText(type->substr(0, type->find(';')), "application/json")) return std::nullopt;
  return ErrorAnswer(415, absl::InvalidArgumentError("content-type: application/json is needed"));
}

std::optional<HttpAnswer> RefuseHandshake(const HttpRequest& request, std::string& accept) {
  if (!HasToken(request, "upgrade", "websocket") || !HasToken(request, "connection", "upgrade") ||
      !request.is_1_1 || request.method != "GET" ||
      !IsText(request.Only("sec-websocket-version"), "13")) {
    return UpgradeNeeded();
  }
  const auto key = request.Only("sec-websocket-key");
  const auto proof = key ? crypto::WebSocketAccept(*key) : std::nullopt;
  if (!proof || HasBody(request)) {
    return ErrorAnswer(absl::InvalidArgumentError("not a handshake of a WebSocket"));
  }
  accept = *proof;
  return std::nullopt;
}

}  // namespace culvert::web
