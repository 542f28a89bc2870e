// Everything of TLS in which mbedTLS 2.28 and 3.x differ.
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "crypto/tls_parts.h"

namespace culvert::crypto {
namespace {

constexpr size_t kRecordNumberBytes = 8;

int WriteTicket(void* tickets, const mbedtls_ssl_session* session, unsigned char* start,
                const unsigned char* end, size_t* size, uint32_t* lifetime) {
  auto& parts = *static_cast<TlsTickets::Parts*>(tickets);
  const MutexLock lock(parts.mutex);
  return mbedtls_ssl_ticket_write(parts.tickets.get(), session, start, end, size, lifetime);
}

int ParseTicket(void* tickets, mbedtls_ssl_session* session, unsigned char* ticket, size_t size) {
  auto& parts = *static_cast<TlsTickets::Parts*>(tickets);
  const MutexLock lock(parts.mutex);
  return mbedtls_ssl_ticket_parse(parts.tickets.get(), session, ticket, size);
}

void KeepMaster(TlsMaster* master, const unsigned char* secret, const unsigned char* client_random,
                const unsigned char* server_random) {
  std::copy_n(secret, master->secret.size(), master->secret.data());
  std::copy_n(client_random, master->client_random.size(), master->client_random.data());
  std::copy_n(server_random, master->server_random.size(), master->server_random.data());
}

#if MBEDTLS_VERSION_MAJOR >= 3

void SetVersionAndCurves(mbedtls_ssl_config* config) {
  static constexpr uint16_t kGroups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0};
  static constexpr uint16_t kSignatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
                                             MBEDTLS_TLS1_3_SIG_NONE};
  mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_groups(config, kGroups);
  mbedtls_ssl_conf_sig_algs(config, kSignatures);
}

void KeepExported(void* master, mbedtls_ssl_key_export_type type, const unsigned char* secret,
                  size_t size, const unsigned char client_random[32],
                  const unsigned char server_random[32], mbedtls_tls_prf_types) {
  if (type != MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET) return;
  CULVERT_CHECK(size == decltype(TlsMaster::secret)::size());
  KeepMaster(static_cast<TlsMaster*>(master), secret, client_random, server_random);
}

#else

void SetVersionAndCurves(mbedtls_ssl_config* config) {
  static constexpr mbedtls_ecp_group_id kCurves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
  static constexpr int kHashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE};
  mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_curves(config, kCurves);
  mbedtls_ssl_conf_sig_hashes(config, kHashes);
}

int KeepExported(void* master, const unsigned char* secret, const unsigned char*, size_t, size_t,
                 size_t, const unsigned char client_random[32],
                 const unsigned char server_random[32], mbedtls_tls_prf_types) {
  KeepMaster(static_cast<TlsMaster*>(master), secret, client_random, server_random);
  return 0;
}

#endif

}  // namespace

void ConfigureTls(TlsContext::Parts& context, mbedtls_ssl_config* config) {
  const bool server = context.role == TlsRole::kServer;
  CULVERT_CHECK(
      mbedtls_ssl_config_defaults(config, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_SUITEB) == 0);
  SetVersionAndCurves(config);
  mbedtls_ssl_conf_ciphersuites(config, context.suites.data());
  mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_suiteb);
  mbedtls_ssl_conf_authmode(
      config, context.any_client ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_rng(config, MbedRandom, nullptr);
  mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_legacy_renegotiation(config, MBEDTLS_SSL_LEGACY_BREAK_HANDSHAKE);
  if (server && !context.any_client)
    mbedtls_ssl_conf_session_tickets_cb(config, WriteTicket, ParseTicket,
                                        &context.tickets->parts());
}

void ExportKeysTo(TlsMaster* master, mbedtls_ssl_config* config, mbedtls_ssl_context* ssl) {
#if MBEDTLS_VERSION_MAJOR >= 3
  static_cast<void>(config);
  mbedtls_ssl_set_export_keys_cb(ssl, KeepExported, master);
#else
  static_cast<void>(ssl);
  mbedtls_ssl_conf_export_keys_ext_cb(config, KeepExported, master);
#endif
}

TlsSuite SuiteOf(const mbedtls_ssl_context& ssl) {
  const int number = mbedtls_ssl_get_ciphersuite_id(mbedtls_ssl_get_ciphersuite(&ssl));
  return number == MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ? TlsSuite::kAes128Gcm
                                                                   : TlsSuite::kChaCha20Poly1305;
}

bool OnlyFinishedWasSealed(const mbedtls_ssl_context& ssl) {
  constexpr unsigned char kOne[kRecordNumberBytes] = {0, 0, 0, 0, 0, 0, 0, 1};
  return std::equal(kOne, std::end(kOne), ssl.MBEDTLS_PRIVATE(in_ctr)) &&
         std::equal(kOne, std::end(kOne), ssl.MBEDTLS_PRIVATE(cur_out_ctr));
}

bool IsHandshakeOver(const mbedtls_ssl_context& ssl) {
  return ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER;
}

bool IsExchangingKeys(const mbedtls_ssl_context& ssl) {
  const int state = ssl.MBEDTLS_PRIVATE(state);
  return state >= MBEDTLS_SSL_SERVER_CERTIFICATE && state <= MBEDTLS_SSL_CERTIFICATE_VERIFY;
}

uint8_t ReceivedAlert(const mbedtls_ssl_context& ssl) { return ssl.MBEDTLS_PRIVATE(in_msg)[1]; }

}  // namespace culvert::crypto
