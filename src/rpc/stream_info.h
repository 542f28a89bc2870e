// What a server's stream was started as, and by whom.
#pragma once

#include <cstdint>
#include <string>

namespace grpc {
class CallbackServerContext;
}

namespace culvert::rpc {

struct StreamInfo {
  static constexpr size_t kMaxPathBytes = 256;

  enum class Version { kV1, kV1Alpha2 };
  // Of those after kAttach the client sends one message; it reads one, of the watches any number.
  enum class Method {
    kConnect,
    kListen,
    kAccept,
    kAttach,
    kHealthCheck,
    kEnroll,
    kLogin,
    kRenew,
    kWhoAmI,
    kListAgents,
    kKeyRotations,
    kRequestConnection,
    // Of ntt.proxies ProjectService, in both versions.
    kGetProject,
    kBatchGetProjects,
    kListProjects,
    kWatchProject,
    kWatchProjects,
    kCreateProject,
    kUpdateProject,
    kDeleteProject,
    kUnknown,  // none of ours: to be refused
  };
  Version version = Version::kV1;
  Method method = Method::kConnect;
  std::string peer;   // the address without the port, "127.0.0.1"; "unknown" if gRPC does not tell
  uint16_t port = 0;  // of the peer
  // The leaf certificate of this connection, PEM; empty if the client showed none. That the client
  // has its key is checked, nothing else.
  std::string certificate = {};
  std::string authorization = {};  // the metadata of that name; empty if there is none
  std::string path = {};           // of kUnknown: as the client spells it, cut to kMaxPathBytes

  // "127.0.0.1:40022", "[::1]:40022".
  std::string endpoint() const;
};

// An address and a port as gRPC writes them: "ipv4:127.0.0.1:40022", "ipv6:%5B::1%5D:40022".
struct PeerAddress {
  std::string ip = "unknown";
  uint16_t port = 0;
};
PeerAddress ParsePeer(const std::string& peer);

// gRPC's threads.
StreamInfo DescribeStream(grpc::CallbackServerContext& context, StreamInfo::Version version,
                          StreamInfo::Method method);

}  // namespace culvert::rpc
