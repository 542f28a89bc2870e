#include "crypto/tls_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "crypto/tls_parts.h"

namespace culvert::crypto {
namespace {

constexpr int kLong = 1;  // errors are negative

std::string_view DerOf(const mbedtls_x509_crt& crt) {
  return {reinterpret_cast<const char*>(crt.raw.MBEDTLS_PRIVATE(p)), crt.raw.MBEDTLS_PRIVATE(len)};
}

// Of what mbedTLS found in a certificate.
absl::Status VerifyRefusal(uint32_t flags) {
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
    return absl::UnauthenticatedError("certificate: issued by another authority");
  return absl::UnauthenticatedError(
      fmt::format("certificate: not acceptable (flags {:#x})", flags));
}

}  // namespace

class TlsSession {
 public:
  SslSession session;
};

struct TlsEngine::Parts {
  Parts(const TlsContext& tls_context, WallTime at) : context(tls_context.parts()), now(at) {}

  static int Send(void* self, const unsigned char* bytes, size_t size);
  static int Receive(void* self, unsigned char* bytes, size_t size);
  static int Verify(void* self, mbedtls_x509_crt* crt, int depth, uint32_t* flags);
  int Keep(const mbedtls_x509_crt& crt, int depth, uint32_t flags);
  uint32_t Judge(const mbedtls_x509_crt& crt);

  void SetUp();
  // 0, an error of mbedTLS, or kLong.
  int Run(Effort effort);
  int Advance(Effort effort);
  absl::StatusOr<Certificate> Peer();

  TlsContext::Parts& context;
  const WallTime now;
  std::shared_ptr<const TlsSession> session;  // the one to resume
  std::string input;
  size_t read = 0;       // of `input`
  size_t handshake = 0;  // bytes read altogether
  std::string output;
  absl::Status refusal;             // why mbedTLS was told to stop
  std::optional<Certificate> peer;  // shown in this handshake: none in a resumed one
  TlsMaster master;
  mbedtls_pk_context key{};  // a borrowed key while Run() runs, owned by none here
  SslConfig config;
  SslContext ssl;  // points to all of the above
};

int TlsEngine::Parts::Send(void* self, const unsigned char* bytes, size_t size) {
  static_cast<Parts*>(self)->output.append(reinterpret_cast<const char*>(bytes), size);
  return static_cast<int>(size);
}

// mbedTLS asks for a record's header, then for the rest of it: what follows the last record of the
// handshake stays in `input`.
int TlsEngine::Parts::Receive(void* self, unsigned char* bytes, size_t size) {
  auto& parts = *static_cast<Parts*>(self);
  const size_t ready = std::min(size, parts.input.size() - parts.read);
  if (ready == 0) return MBEDTLS_ERR_SSL_WANT_READ;
  parts.handshake += ready;
  if (parts.handshake > kMostHandshake) {
    parts.refusal = absl::ResourceExhaustedError("the peer's side of the handshake is too long");
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  }
  parts.input.copy(reinterpret_cast<char*>(bytes), ready, parts.read);
  parts.read += ready;
  return static_cast<int>(ready);
}

// Called for the authority, then for the leaf at depth 0, after mbedTLS's own checks. Its judgement
// of the times is replaced by ours, which has leeway.
int TlsEngine::Parts::Verify(void* self, mbedtls_x509_crt* crt, int depth, uint32_t* flags) {
  auto& parts = *static_cast<Parts*>(self);
  *flags &= ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (parts.context.any_client) return parts.Keep(*crt, depth, *flags);
  if (depth == 0 && *flags == 0) *flags = parts.Judge(*crt);
  return 0;
}

// This server takes who shows none, so that mbedTLS would let any go on. 0, or what ends the
// handshake.
int TlsEngine::Parts::Keep(const mbedtls_x509_crt& crt, int depth, uint32_t flags) {
  if (flags != 0) {
    refusal = VerifyRefusal(flags);
    return MBEDTLS_ERR_X509_FATAL_ERROR;
  }
  if (depth != 0) return 0;
  const absl::StatusOr<Certificate> certificate = Certificate::FromDer(DerOf(crt));
  if (!certificate.ok()) {
    refusal = absl::UnauthenticatedError(fmt::format("{}", MessageOf(certificate.status())));
  } else if (certificate->is_ca() || !certificate->IsFor(context.peer_usage())) {
    refusal = absl::UnauthenticatedError("certificate: not for a client");
  }
  if (!refusal.ok()) return MBEDTLS_ERR_X509_FATAL_ERROR;
  peer = *certificate;
  return 0;
}

// Keeps `peer` or the reason not to. Returns mbedTLS's flags, from which it makes the alert.
uint32_t TlsEngine::Parts::Judge(const mbedtls_x509_crt& crt) {
  const absl::StatusOr<Certificate> certificate = Certificate::FromDer(DerOf(crt));
  if (!certificate.ok()) {
    refusal = absl::UnauthenticatedError(fmt::format("{}", MessageOf(certificate.status())));
    return MBEDTLS_X509_BADCERT_OTHER;
  }
  refusal = certificate->CheckValidFor(context.authority, context.peer_usage(), now);
  if (!refusal.ok())
    return certificate->not_after() < now ? MBEDTLS_X509_BADCERT_EXPIRED
                                          : MBEDTLS_X509_BADCERT_OTHER;
  peer = *certificate;
  return 0;
}

void TlsEngine::Parts::SetUp() {
  ConfigureTls(context, config.get());
  mbedtls_ssl_conf_verify(config.get(), Verify, this);
  CULVERT_CHECK(mbedtls_ssl_conf_own_cert(config.get(), context.own_chain.get(), &key) == 0);
  CULVERT_CHECK(mbedtls_ssl_setup(ssl.get(), config.get()) == 0);
  ExportKeysTo(&master, config.get(), ssl.get());
  mbedtls_ssl_set_bio(ssl.get(), this, Send, Receive, nullptr);
  // Names are judged by CheckPeer; newer releases want to be told that this is no oversight.
  CULVERT_CHECK(mbedtls_ssl_set_hostname(ssl.get(), nullptr) == 0);
  if (session) CULVERT_CHECK(mbedtls_ssl_set_session(ssl.get(), session->session.get()) == 0);
}

int TlsEngine::Parts::Advance(Effort effort) {
  if (effort == Effort::kAny) return mbedtls_ssl_handshake(ssl.get());
  while (!IsHandshakeOver(*ssl.get())) {
    if (IsExchangingKeys(*ssl.get())) return kLong;
    if (const int error = mbedtls_ssl_handshake_step(ssl.get())) return error;
  }
  return 0;
}

int TlsEngine::Parts::Run(Effort effort) {
  std::unique_ptr<TlsTools> tools = context.TakeTools();
  int error = 0;
  {
    PrivateKey::Parts& borrowed = tools->key.parts();
    const MutexLock lock(borrowed.mutex);
    key = *borrowed.pk.get();
    mbedtls_ssl_conf_ca_chain(config.get(), tools->authority.get(), nullptr);
    error = Advance(effort);
    mbedtls_ssl_conf_ca_chain(config.get(), nullptr, nullptr);
    mbedtls_pk_init(&key);
  }
  context.ReturnTools(std::move(tools));
  return error;
}

// After a resumption mbedTLS has the certificate from the session or the ticket.
absl::StatusOr<Certificate> TlsEngine::Parts::Peer() {
  const mbedtls_x509_crt* const crt = mbedtls_ssl_get_peer_cert(ssl.get());
  if (crt == nullptr) return absl::UnauthenticatedError("the session has no certificate");
  const std::string_view der = DerOf(*crt);
  if (std::optional<Certificate> known = context.known_peers.Find(der)) return *std::move(known);
  return Certificate::FromDer(der);
}

// --- TlsEngine ---

TlsEngine::TlsEngine(std::shared_ptr<const TlsContext> context, WallTime now,
                     std::shared_ptr<const TlsSession> session)
    : context_(std::move(context)), parts_(std::make_unique<Parts>(*context_, now)) {
  CULVERT_CHECK(session == nullptr || context_->role() == TlsRole::kClient);
  parts_->session = std::move(session);
  parts_->SetUp();
}

TlsEngine::~TlsEngine() = default;

absl::Status TlsEngine::Feed(std::string_view bytes) {
  if (state_ == State::kFailed) return failure_;
  CULVERT_CHECK(state_ != State::kTaken);
  std::string& input = state_ == State::kHandshaking ? parts_->input : secured_->rest;
  if (input.size() + bytes.size() > kMostUnread) {
    failure_ = absl::ResourceExhaustedError("the peer sends before the handshake is done");
    state_ = State::kFailed;
    return failure_;
  }
  input += bytes;
  return absl::OkStatus();
}

std::string TlsEngine::TakeOutput() { return std::exchange(output_, {}); }

absl::StatusOr<TlsEngine::Progress> TlsEngine::Handshake(Effort effort) {
  if (state_ == State::kFailed) return failure_;
  if (state_ != State::kHandshaking) return Progress::kDone;
  const int error = parts_->Run(effort);
  output_ += std::exchange(parts_->output, {});
  parts_->input.erase(0, std::exchange(parts_->read, 0));
  if (error == MBEDTLS_ERR_SSL_WANT_READ) return Progress::kWantsBytes;
  if (error == kLong) return Progress::kTakesLong;
  failure_ = error == 0 ? Finish() : Fail(error);
  state_ = failure_.ok() ? State::kDone : State::kFailed;
  parts_.reset();
  if (!failure_.ok()) return failure_;
  return Progress::kDone;
}

absl::Status TlsEngine::Fail(int error) {
  if (!parts_->refusal.ok()) return parts_->refusal;
  switch (error) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
      return VerifyRefusal(mbedtls_ssl_get_verify_result(parts_->ssl.get()));
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
      return absl::UnauthenticatedError("the peer shows no certificate");
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
      return absl::UnauthenticatedError(
          fmt::format("the peer refuses: {}", AlertName(ReceivedAlert(*parts_->ssl.get()))));
    default:
      return MbedError(error, "TLS handshake");
  }
}

absl::Status TlsEngine::Finish() {
  const mbedtls_ssl_context& ssl = *parts_->ssl.get();
  // The records count on from here. A peer that sealed anything else before is not one of ours.
  if (!OnlyFinishedWasSealed(ssl))
    return absl::InvalidArgumentError("TLS handshake: more than Finished was sealed");
  const bool any_client = context_->parts().any_client;
  const bool resumed = !any_client && !parts_->peer.has_value();
  std::optional<Certificate> peer = parts_->peer;
  if (resumed) {
    CULVERT_ASSIGN_OR_RETURN(peer, parts_->Peer());
  } else if (!any_client) {
    context_->parts().known_peers.Add(*peer);
  }

  TlsKeys keys;
  keys.suite = SuiteOf(ssl);
  DeriveTlsKeys(parts_->master, context_->role(), &keys);
  auto records = std::make_unique<TlsRecords>(keys, context_->parts().record_layer);
  auto exported = std::make_unique<Secret<kExportedBytes>>();
  DeriveExported(parts_->master, exported.get());
  // A ticket is good for its hour however often it is used: the first session is kept.
  std::shared_ptr<const TlsSession> session = parts_->session;
  if (context_->role() == TlsRole::kClient && !resumed) {
    auto made = std::make_shared<TlsSession>();
    CULVERT_CHECK(mbedtls_ssl_get_session(&ssl, made->session.get()) == 0);
    session = std::move(made);
  }
  secured_ = TlsSecured{std::move(records), std::move(peer),          resumed,
                        keys.suite,         std::move(parts_->input), std::move(session),
                        std::move(exported)};
  return absl::OkStatus();
}

TlsSecured TlsEngine::TakeSecured() {
  CULVERT_CHECK(state_ == State::kDone);
  state_ = State::kTaken;
  return *std::exchange(secured_, std::nullopt);
}

}  // namespace culvert::crypto
