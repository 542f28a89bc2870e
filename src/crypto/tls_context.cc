#include "crypto/tls_context.h"

#include <mbedtls/aes.h>

#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/secret.h"
#include "crypto/tls_parts.h"

namespace culvert::crypto {
namespace {

int SuiteNumber(TlsSuite suite) {
  return suite == TlsSuite::kAes128Gcm ? MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                                       : MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
}

// mbedTLS fills its tables of AES at their first use, without a lock.
void FillAesTables() {
  static std::once_flag once;
  std::call_once(once, [] {
    Owned<mbedtls_aes_context, mbedtls_aes_init, mbedtls_aes_free> aes;
    constexpr unsigned char kKey[16] = {};
    CULVERT_CHECK(mbedtls_aes_setkey_enc(aes.get(), kKey, 128) == 0);
  });
}

void Parse(const Certificate& certificate, CrtContext& crt) {
  const std::string& der = certificate.der();
  CULVERT_CHECK(mbedtls_x509_crt_parse_der(crt.get(), Octets(der), der.size()) == 0);
}

PrivateKey Copy(const PrivateKey& key) {
  std::string pem = key.Pem();
  absl::StatusOr<PrivateKey> copy = PrivateKey::FromPem(pem);
  Wipe(pem.data(), pem.size());
  CULVERT_CHECK(copy.ok());
  return *copy;
}

}  // namespace

// --- TlsTickets ---

TlsTickets::TlsTickets() : parts_(std::make_unique<Parts>()) {
  const MutexLock lock(parts_->mutex);
  CULVERT_CHECK(mbedtls_ssl_ticket_setup(parts_->tickets.get(), MbedRandom, nullptr,
                                         MBEDTLS_CIPHER_AES_256_GCM,
                                         static_cast<uint32_t>(kLife.count())) == 0);
}

TlsTickets::~TlsTickets() = default;

// --- TlsContext::Parts ---

TlsContext::Parts::Parts(TlsRole context_role, const Certificate& certificate,
                         const PrivateKey& private_key, const Certificate& ca,
                         const TlsOptions& options)
    : role(context_role),
      own(certificate),
      key(private_key),
      authority(ca),
      record_layer(options.record_layer),
      any_client(options.any_client) {
  FillAesTables();
  for (const TlsSuite suite : options.suites) suites.push_back(SuiteNumber(suite));
  suites.push_back(0);
  Parse(own, own_chain);
  if (role == TlsRole::kClient || any_client) return;
  tickets = options.tickets ? options.tickets : std::make_shared<const TlsTickets>();
}

std::unique_ptr<TlsTools> TlsContext::Parts::TakeTools() {
  {
    const MutexLock lock(mutex);
    if (!idle_tools.empty()) {
      std::unique_ptr<TlsTools> tools = std::move(idle_tools.back());
      idle_tools.pop_back();
      return tools;
    }
  }
  auto tools = std::make_unique<TlsTools>(Copy(key));
  Parse(authority, tools->authority);
  return tools;
}

void TlsContext::Parts::ReturnTools(std::unique_ptr<TlsTools> tools) {
  const MutexLock lock(mutex);
  idle_tools.push_back(std::move(tools));
}

// --- TlsContext ---

absl::StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Create(TlsRole role,
                                                                     const Certificate& own,
                                                                     const PrivateKey& key,
                                                                     const Certificate& authority,
                                                                     const TlsOptions& options) {
  if (own.public_key() != key.public_key())
    return absl::InvalidArgumentError("the key is not the certificate's");
  const bool server = role == TlsRole::kServer;
  if (!own.IsFor(server ? Usage::kServer : Usage::kClient))
    return absl::InvalidArgumentError(server ? "the certificate is not for a server"
                                             : "the certificate is not for a client");
  if (!authority.is_ca()) return absl::InvalidArgumentError("the authority's is no certificate");
  if (options.suites.empty()) return absl::InvalidArgumentError("no cipher suite");
  return std::shared_ptr<const TlsContext>(
      new TlsContext(std::make_unique<Parts>(role, own, key, authority, options)));
}

TlsContext::TlsContext(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsContext::~TlsContext() = default;

TlsRole TlsContext::role() const { return parts_->role; }
const Certificate& TlsContext::own() const { return parts_->own; }
const Certificate& TlsContext::authority() const { return parts_->authority; }
std::shared_ptr<const TlsTickets> TlsContext::tickets() const { return parts_->tickets; }

absl::Status TlsContext::CheckPeer(const Certificate& peer, const TlsExpectation& expected,
                                   WallTime now) const {
  const Usage usage = parts_->peer_usage();
  if (!parts_->known_peers.Find(peer.der())) {
    CULVERT_RETURN_IF_ERROR(peer.CheckIssuedBy(parts_->authority, usage, now));
    parts_->known_peers.Add(peer);
  }
  CULVERT_RETURN_IF_ERROR(peer.CheckValidFor(parts_->authority, usage, now));
  return CheckTlsName(peer, expected);
}

}  // namespace culvert::crypto
