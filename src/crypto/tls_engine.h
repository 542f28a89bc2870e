// One TLS 1.2 handshake over memory, and what it leaves: records, and who is at the other end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "crypto/certificate.h"
#include "crypto/secret.h"
#include "crypto/tls_context.h"
#include "crypto/tls_keys.h"
#include "crypto/tls_records.h"

namespace culvert::crypto {

// What a client needs to resume a connection with the same server, for an hour. A secret; in memory
// only. Immutable, any thread.
class TlsSession;

// A finished handshake.
struct TlsSecured {
  std::unique_ptr<TlsRecords> records;
  // TLS has verified that the context's authority issued it, in this handshake or in the one that
  // it resumes. Whom it names is for TlsContext::CheckPeer, which the owner calls before anything
  // else. With TlsOptions::any_client it is missing if none was shown, and its times were not
  // judged.
  std::optional<Certificate> peer;
  bool resumed = false;
  TlsSuite suite = TlsSuite::kAes128Gcm;
  std::string rest;  // what the peer sent after its Finished: for records->Open
  std::shared_ptr<const TlsSession> session;         // to resume with; null at a server
  std::unique_ptr<Secret<kExportedBytes>> exported;  // see DeriveExported
};

// The handshake of one connection. Any thread, one at a time.
//
//   until Handshake() says kDone: send TakeOutput(); wait for bytes; Feed() them
//   send TakeOutput(); TakeSecured()
//
// Both ends show certificates of the context's authority (but see TlsOptions::any_client). Their
// times are judged here, at the `now`
// given, with 5 minutes of leeway; the names in them are not.
class TlsEngine {
 public:
  enum class Progress { kWantsBytes, kTakesLong, kDone };
  // kLittle: stops with kTakesLong before what only a full handshake does, which is all that takes
  // long; whether the peer resumes is known by then. A later call goes on from there.
  enum class Effort { kAny, kLittle };

  // The most that a peer may send before it is known, and the most that is kept of what it sends
  // too early.
  static constexpr size_t kMostHandshake = size_t{64} * 1024;
  static constexpr size_t kMostUnread = size_t{1024} * 1024;

  // `session` is for a client: a server that does not take it shakes hands in full.
  TlsEngine(std::shared_ptr<const TlsContext> context, WallTime now,
            std::shared_ptr<const TlsSession> session = nullptr);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // Bytes from the peer, cut anywhere; not after TakeSecured. RESOURCE_EXHAUSTED when more than
  // kMostUnread wait.
  absl::Status Feed(std::string_view bytes);

  // Goes on until it wants bytes of the peer: a client's first call wants them at once. A full
  // handshake takes up to 10 ms, else 50 µs. The error is one line for a person, and final:
  // UNAUTHENTICATED for what is wrong with a certificate, here or in the peer's eyes;
  // RESOURCE_EXHAUSTED beyond kMostHandshake; INVALID_ARGUMENT for what is no TLS that we speak.
  absl::StatusOr<Progress> Handshake(Effort effort = Effort::kAny);

  // Bytes for the peer, since the last call; after an error perhaps an alert, which is to be sent
  // too.
  std::string TakeOutput();

  // Once, after kDone.
  TlsSecured TakeSecured();

 private:
  enum class State { kHandshaking, kDone, kFailed, kTaken };
  struct Parts;

  absl::Status Fail(int error);
  absl::Status Finish();

  const std::shared_ptr<const TlsContext> context_;
  State state_ = State::kHandshaking;
  absl::Status failure_;
  std::string output_;
  std::unique_ptr<Parts> parts_;  // while handshaking
  std::optional<TlsSecured> secured_;
};

}  // namespace culvert::crypto
