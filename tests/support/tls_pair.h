// An authority, whom it knows, and two TLS engines that talk to each other in memory.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "crypto/certificate_authority.h"
#include "crypto/tls_engine.h"

namespace culvert::crypto {

// Whole seconds, as certificates have them.
inline WallTime WholeNow() {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Of what must have worked.
inline std::string Text(const absl::StatusOr<Bytes>& bytes) {
  return std::string(bytes.value().view());
}

// A certificate and its key.
struct TlsIdentity {
  PrivateKey key;
  Certificate certificate;
};

struct TlsProject {
  WallTime now = WholeNow();
  CertificateAuthority authority = CertificateAuthority::Create(
      "project default", now - std::chrono::hours(1000), now + std::chrono::hours(1000));
  TlsIdentity agent = Issue(SpiffeId::Role::kAgent, "edge-1", {Usage::kServer, Usage::kClient});
  TlsIdentity user = Issue(SpiffeId::Role::kUser, "alice", {Usage::kClient});

  TlsIdentity Issue(SpiffeId::Role role, const std::string& name,
                    const std::vector<Usage>& usages) const {
    return IssueUntil(role, name, usages, now + std::chrono::hours(24));
  }
  TlsIdentity IssueUntil(SpiffeId::Role role, const std::string& name,
                         const std::vector<Usage>& usages, WallTime end) const {
    PrivateKey key = PrivateKey::Generate();
    Certificate certificate = authority.Issue(
        key.public_key(), CertificateContent{SpiffeId{"culvert.internal", "default", role, name},
                                             {},
                                             usages,
                                             end - std::chrono::hours(48),
                                             end});
    return {std::move(key), std::move(certificate)};
  }

  std::shared_ptr<const TlsContext> Context(TlsRole role, const TlsIdentity& own,
                                            const TlsOptions& options = {}) const {
    auto context =
        TlsContext::Create(role, own.certificate, own.key, authority.certificate(), options);
    CULVERT_CHECK(context.ok());
    return *std::move(context);
  }
  std::shared_ptr<const TlsContext> Server(const TlsOptions& options = {}) const {
    return Context(TlsRole::kServer, agent, options);
  }
  std::shared_ptr<const TlsContext> Client(const TlsOptions& options = {}) const {
    return Context(TlsRole::kClient, user, options);
  }
};

// Both ends of one connection.
struct TlsPair {
  TlsPair(std::shared_ptr<const TlsContext> client_context,
          std::shared_ptr<const TlsContext> server_context, WallTime now = WholeNow(),
          std::shared_ptr<const TlsSession> session = nullptr)
      : client(std::move(client_context), now, std::move(session)),
        server(std::move(server_context), now) {}

  // Carries bytes until both ends are done or one has failed. At most `piece` at a time.
  void Shake(size_t piece = size_t{1} << 20) {
    bool moved = true;
    while (moved) {
      client_status = client.Handshake().status();
      moved = Carry(client, server, piece);
      server_status = server.Handshake().status();
      moved = Carry(server, client, piece) || moved;
    }
  }
  bool ok() const { return client_status.ok() && server_status.ok(); }

  TlsEngine client;
  TlsEngine server;
  absl::Status client_status;
  absl::Status server_status;

 private:
  static bool Carry(TlsEngine& from, TlsEngine& to, size_t piece) {
    const std::string bytes = from.TakeOutput();
    for (size_t at = 0; at < bytes.size(); at += piece) {
      if (!to.Feed(std::string_view(bytes).substr(at, piece)).ok()) break;
      if (piece < bytes.size() && !to.Handshake().ok()) break;
    }
    return !bytes.empty();
  }
};

}  // namespace culvert::crypto
