// How a program proves who it is and whom it trusts: the one place that knows.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "crypto/identity.h"

namespace grpc {
class ChannelArguments;
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace culvert::rpc {

// The name in the certificate of every broker. Clients trust the authority of their project only
// and look for this name, so that a broker may have any address.
inline constexpr char kBrokerName[] = "broker.culvert.internal";

// Copyable; any thread.
class Credentials {
 public:
  // No TLS, no identity. Every address involved must be loopback: the callers check that.
  static Credentials Insecure();

  // A client with an identity: TLS (1.2 or later) with both certificates.
  static Credentials ForIdentity(const crypto::Identity& identity);

  // A client without one, that knows only the fingerprint of the authority's certificate
  // (crypto::Certificate::Fingerprint). The broker has to send that certificate too.
  static Credentials ForEnrolment(const std::string& authority_fingerprint);

  // A client without one, that has the authority's certificate.
  static Credentials ForAuthority(const crypto::Certificate& authority);

  // A server. The two files are PEM; the certificate's is the leaf and then the authority. A
  // certificate that is replaced is used from then on, within a second. Clients may come with any
  // certificate or none: StreamInfo::certificate says which, and nothing about it was checked but
  // that the client has its key.
  static Credentials ForServer(const std::string& certificate_file, const std::string& key_file);

  bool secure() const { return secure_; }
  std::shared_ptr<grpc::ChannelCredentials> client() const { return client_; }
  std::shared_ptr<grpc::ServerCredentials> server() const { return server_; }

 private:
  Credentials() = default;

  bool secure_ = false;
  std::shared_ptr<grpc::ChannelCredentials> client_;
  std::shared_ptr<grpc::ServerCredentials> server_;
};

}  // namespace culvert::rpc
