// What all TLS connections of one identity share: its certificate and key, whom it trusts, and, at
// a server, what its tickets are sealed with.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crypto/certificate.h"
#include "crypto/key.h"
#include "crypto/record_cipher.h"
#include "crypto/tls_keys.h"
#include "crypto/tls_peer.h"

namespace culvert::crypto {

// What a server seals session tickets with (RFC 5077): made at random, in memory only, changed
// every hour. A ticket is good for an hour. Any thread.
class TlsTickets {
 public:
  static constexpr std::chrono::seconds kLife = std::chrono::hours(1);

  TlsTickets();
  ~TlsTickets();
  TlsTickets(const TlsTickets&) = delete;
  TlsTickets& operator=(const TlsTickets&) = delete;

  // For the other files of src/crypto.
  struct Parts;
  Parts& parts() const { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

struct TlsOptions {
  std::vector<TlsSuite> suites = {TlsSuite::kAes128Gcm, TlsSuite::kChaCha20Poly1305};  // best first
  RecordLayer record_layer = RecordLayer::kLibcrypto;
  // A server's: also takes clients that show no certificate. One that is shown must be a client's,
  // with the authority's signature; whether it is in its time is for who asks to judge. It resumes
  // no session.
  bool any_client = false;
  // A server's, if they are to outlive this context (its certificate was renewed); new ones if
  // null.
  std::shared_ptr<const TlsTickets> tickets;
};

// Any thread. Handshakes run beside each other: each call of one borrows a copy of the private key,
// because mbedTLS changes keys while it uses them, and there are as many copies as ever ran at
// once.
class TlsContext {
 public:
  // INVALID_ARGUMENT unless `key` is the key of `own`, which may be used as `role`, `authority` is
  // an authority, and a suite is named.
  static absl::StatusOr<std::shared_ptr<const TlsContext>> Create(TlsRole role,
                                                                  const Certificate& own,
                                                                  const PrivateKey& key,
                                                                  const Certificate& authority,
                                                                  const TlsOptions& options = {});
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  TlsRole role() const;
  const Certificate& own() const;
  const Certificate& authority() const;
  std::shared_ptr<const TlsTickets> tickets() const;  // null where no session is resumed

  // CheckTlsPeer with this context's authority, for the end that is not `role`. The signatures of
  // the last 256 peers are remembered.
  absl::Status CheckPeer(const Certificate& peer, const TlsExpectation& expected,
                         WallTime now) const;

  // For the other files of src/crypto.
  struct Parts;
  Parts& parts() const { return *parts_; }

 private:
  explicit TlsContext(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace culvert::crypto
