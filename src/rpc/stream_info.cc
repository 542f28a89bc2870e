#include "rpc/stream_info.h"

#include <fmt/format.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>

#include <charconv>
#include <utility>

namespace culvert::rpc {
namespace {

// Of this connection's TLS session: never anything that a message or a header says.
std::string LeafCertificate(const grpc::CallbackServerContext& context) {
  const auto session = context.auth_context();
  if (session == nullptr) return "";
  const auto values = session->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return values.size() == 1 ? std::string(values[0].data(), values[0].size()) : "";
}

// A header that is there twice would have two readings: it has none.
std::string Authorization(const grpc::CallbackServerContext& context) {
  const auto [first, last] = context.client_metadata().equal_range("authorization");
  if (first == last || std::next(first) != last) return "";
  return std::string(first->second.data(), first->second.size());
}

}  // namespace

PeerAddress ParsePeer(const std::string& peer) {
  PeerAddress parsed;
  const size_t kind = peer.find(':');
  const size_t port = peer.rfind(':');
  if (kind == std::string::npos || port <= kind) return parsed;
  parsed.ip = peer.substr(kind + 1, port - kind - 1);
  for (const char* bracket : {"%5B", "%5D", "[", "]"}) {
    const size_t at = parsed.ip.find(bracket);
    if (at != std::string::npos) parsed.ip.erase(at, std::string(bracket).size());
  }
  std::from_chars(peer.data() + port + 1, peer.data() + peer.size(), parsed.port);
  return parsed;
}

std::string StreamInfo::endpoint() const {
  const bool v6 = peer.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", peer, v6 ? "]" : "", port);
}

StreamInfo DescribeStream(grpc::CallbackServerContext& context, StreamInfo::Version version,
                          StreamInfo::Method method) {
  StreamInfo info;
  info.version = version;
  info.method = method;
  PeerAddress peer = ParsePeer(context.peer());
  info.peer = std::move(peer.ip);
  info.port = peer.port;
  info.certificate = LeafCertificate(context);
  info.authorization = Authorization(context);
  return info;
}

}  // namespace culvert::rpc
