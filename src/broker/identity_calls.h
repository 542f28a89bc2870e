// The unary calls of culvert.v1.Identity: enrolment, renewal, and what a principal may ask.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/token_bucket.h"
#include "broker/gate.h"
#include "broker/jwt_gate.h"
#include "broker/pki.h"
#include "broker/records.h"
#include "rpc/stream.h"
#include "rpc/stream_info.h"

namespace culvert::broker {

// Confined to the control loop. An answer takes some milliseconds at most: one signature.
class IdentityCalls {
 public:
  // How long a certificate of a login lives.
  static constexpr std::chrono::seconds kLoginLife = std::chrono::hours(12);

  // Certificates for one principal, by logins and renewals together.
  static constexpr TokenRate kRate = {.per_second = 0.1, .burst = 20};
  static constexpr size_t kMostRated = 10'000;  // principals

  // All outlive it; without `jwts` nobody can log in.
  IdentityCalls(const Pki& pki, Records& records, std::string region, JwtGate* jwts = nullptr,
                std::function<MonotonicTime()> clock = MonotonicNow)
      : pki_(pki),
        records_(records),
        region_(std::move(region)),
        jwts_(jwts),
        clock_(std::move(clock)) {}

  // A certificate, as an answer.
  struct Issued {
    rpc::Frame answer;
    std::optional<Principal> to;  // none: it waits to be signed elsewhere
  };

  // For who has no certificate yet.
  absl::StatusOr<Issued> Enroll(const Bytes& message, crypto::WallTime now);
  // The same, with a JSON Web Token in place of an enrolment token.
  absl::StatusOr<Issued> Login(const Bytes& message, crypto::WallTime now);
  // For `who`, of the connection that `info` describes.
  absl::StatusOr<Issued> Renew(const Principal& who, const rpc::StreamInfo& info,
                               const Bytes& message, crypto::WallTime now);
  // What keys of `agent` have said of their successors; whether `who` may see it was decided.
  absl::StatusOr<rpc::Frame> KeyRotations(const crypto::SpiffeId& agent) const;
  absl::StatusOr<rpc::Frame> WhoAmI(const Principal& who, const rpc::StreamInfo& info) const;

 private:
  // Whether the caller's key vouches for this other one; keeps the statement for those who ask.
  absl::Status TakeRotation(const Principal& who, const crypto::PublicKey& new_key,
                            const crypto::KeyRotation& rotation, crypto::WallTime now);
  // What is to be certified; `present` is the certificate of a caller that has one.
  struct Request {
    const std::string& pem;
    const crypto::PublicKey& key;
    std::optional<crypto::Certificate> present = std::nullopt;
  };
  absl::StatusOr<Issued> Issue(const crypto::SpiffeId& id, const Request& request,
                               crypto::WallTime now);
  // RESOURCE_EXHAUSTED if `id` has had too many lately.
  absl::Status CheckRate(const crypto::SpiffeId& id);
  Issued AnswerWith(const std::optional<crypto::Certificate>& certificate) const;

  const Pki& pki_;
  Records& records_;
  const std::string region_;
  JwtGate* const jwts_;
  const std::function<MonotonicTime()> clock_;
  TokenBuckets rates_{kRate, kMostRated};
};

}  // namespace culvert::broker
