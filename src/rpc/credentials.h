// How a program proves who it is and whom it trusts: the one place that knows. This version has
// transport without identities only, on loopback, for development (`--insecure`).
#pragma once

#include <memory>

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace culvert::rpc {

// Copyable; any thread.
class Credentials {
 public:
  // No TLS, no identity. Every address involved must be loopback: the callers check that.
  static Credentials Insecure();

  std::shared_ptr<grpc::ChannelCredentials> ForClient() const;
  std::shared_ptr<grpc::ServerCredentials> ForServer() const;

 private:
  Credentials() = default;
};

}  // namespace culvert::rpc
