// TLS as mbedTLS has it. Included only inside src/crypto.
#pragma once

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "crypto/certificate_parts.h"
#include "crypto/key_parts.h"
#include "crypto/known_peers.h"
#include "crypto/mbedtls.h"
#include "crypto/tls_context.h"

namespace culvert::crypto {

using SslConfig = Owned<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;
using SslContext = Owned<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;
using SslSession = Owned<mbedtls_ssl_session, mbedtls_ssl_session_init, mbedtls_ssl_session_free>;
using SslTickets =
    Owned<mbedtls_ssl_ticket_context, mbedtls_ssl_ticket_init, mbedtls_ssl_ticket_free>;

// mbedTLS has a lock of its own for these, but only if it was built with threads.
struct TlsTickets::Parts {
  Mutex mutex;
  SslTickets tickets ABSL_GUARDED_BY(mutex);
};

// What mbedTLS changes while it shakes hands (the tables of both curves grow), for one call at a
// time.
struct TlsTools {
  explicit TlsTools(PrivateKey copy) : key(std::move(copy)) {}

  PrivateKey key;
  CrtContext authority;
};

struct TlsContext::Parts {
  Parts(TlsRole context_role, const Certificate& certificate, const PrivateKey& private_key,
        const Certificate& ca, const TlsOptions& options);

  // Borrows tools, and gives them back.
  std::unique_ptr<TlsTools> TakeTools();
  void ReturnTools(std::unique_ptr<TlsTools> tools);
  // What the other end uses its certificate as.
  Usage peer_usage() const { return role == TlsRole::kServer ? Usage::kClient : Usage::kServer; }

  const TlsRole role;
  const Certificate own;
  const PrivateKey key;
  const Certificate authority;
  const RecordLayer record_layer;
  const bool any_client;
  std::vector<int> suites;  // mbedTLS's numbers, ended by 0
  CrtContext own_chain;     // only read
  std::shared_ptr<const TlsTickets> tickets;
  KnownPeers known_peers;
  Mutex mutex;
  std::vector<std::unique_ptr<TlsTools>> idle_tools ABSL_GUARDED_BY(mutex);
};

// Settings that are the same for every connection of `context`, and then what differs between 2.28
// and 3.x: all of the latter is in tls_library.cc. `config` points into `context`.
void ConfigureTls(TlsContext::Parts& context, mbedtls_ssl_config* config);

// The result of the key exchange goes to `master`, during each handshake of `ssl`, which uses
// `config`. Call it after mbedtls_ssl_setup.
void ExportKeysTo(TlsMaster* master, mbedtls_ssl_config* config, mbedtls_ssl_context* ssl);

// The number of the suite in use.
TlsSuite SuiteOf(const mbedtls_ssl_context& ssl);

// Whether each side has sent exactly one record under the new keys, its Finished.
bool OnlyFinishedWasSealed(const mbedtls_ssl_context& ssl);

bool IsHandshakeOver(const mbedtls_ssl_context& ssl);
// Whether the next step is one of those between ServerHello and ChangeCipherSpec that only a full
// handshake has: certificates, signatures, the key exchange.
bool IsExchangingKeys(const mbedtls_ssl_context& ssl);

// The fatal alert that mbedtls_ssl_handshake says it has received.
uint8_t ReceivedAlert(const mbedtls_ssl_context& ssl);

}  // namespace culvert::crypto
