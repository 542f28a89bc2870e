// Decides who a stream is and what it may do. The identity is the leaf certificate of the stream's
// own TLS session, or without one a JSON Web Token; never a name in a message.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "broker/jwt_gate.h"
#include "broker/principal.h"
#include "broker/provider_key.h"
#include "broker/records.h"
#include "crypto/certificate.h"
#include "rpc/stream_info.h"

namespace culvert::broker {

// Confined to the control loop.
class Gate {
 public:
  // `records` and `jwts` outlive it; without `jwts` no token counts.
  Gate(crypto::Certificate authority, const Records& records, JwtGate* jwts = nullptr);

  // UNAUTHENTICATED with one line for everything but a certificate of this authority that is valid
  // now and whose key is not revoked, or a token that counts. Where both come, the certificate
  // counts and nobody looks at the token. Where it is refused although the certificate is one of
  // this authority, `refused` says whose, for the records.
  absl::StatusOr<Principal> Identify(const rpc::StreamInfo& info, crypto::WallTime now,
                                     std::optional<Principal>* refused = nullptr);

  // PERMISSION_DENIED unless the policy lets `open.principal` open this channel under the name that
  // it gives itself, in its own project.
  absl::Status MayConnect(const OpenChannel& open) const;
  // The same for who attaches as this consumer.
  absl::Status MayAttach(const Principal& who, const std::string& project,
                         const std::string& name) const;
  // The same for who registers or accepts as a provider: agents only, under their own names.
  absl::Status MayProvide(const Principal& who, const ProviderKey& as) const;
  // Whether a live registration of `who` may go on.
  absl::Status MayGoOn(const Principal& who) const;
  // Whether a live channel may: what `open` was allowed, and neither end's key is revoked.
  absl::Status MayGoOn(const OpenChannel& open, const std::optional<Principal>& provider) const;
  bool MaySee(const Principal& who, const ProviderKey& provider) const;

 private:
  // Verifying a signature takes milliseconds, and one connection brings the same certificate with
  // every stream.
  static constexpr size_t kMostVerified = 8'192;
  absl::StatusOr<Principal> IdentifyByToken(std::string_view authorization, crypto::WallTime now);
  // Whether this authority issued it; whether it is in its time is not looked at.
  absl::StatusOr<crypto::Certificate> Verify(const std::string& pem, crypto::WallTime now);

  const crypto::Certificate authority_;
  const Records& records_;
  JwtGate* const jwts_;
  std::unordered_map<std::string, crypto::Certificate> verified_;  // by SHA-256 of the PEM text
};

}  // namespace culvert::broker
