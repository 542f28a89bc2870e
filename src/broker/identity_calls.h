// The unary calls of culvert.v1.Identity: enrolment, renewal, and what a principal may ask.
#pragma once

#include <string>

#include "absl/status/statusor.h"
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

  // All outlive it; without `jwts` nobody can log in.
  IdentityCalls(const Pki& pki, Records& records, std::string region, JwtGate* jwts = nullptr)
      : pki_(pki), records_(records), region_(std::move(region)), jwts_(jwts) {}

  // For who has no certificate yet.
  absl::StatusOr<rpc::Frame> Enroll(const Bytes& message, crypto::WallTime now);
  // The same, with a JSON Web Token in place of an enrolment token.
  absl::StatusOr<rpc::Frame> Login(const Bytes& message, crypto::WallTime now);
  // For `who`, of the connection that `info` describes.
  absl::StatusOr<rpc::Frame> Renew(const Principal& who, const rpc::StreamInfo& info,
                                   const Bytes& message, crypto::WallTime now);
  absl::StatusOr<rpc::Frame> WhoAmI(const Principal& who, const rpc::StreamInfo& info) const;

 private:
  rpc::Frame AnswerWith(const crypto::Certificate& certificate) const;
  rpc::Frame Issue(const crypto::SpiffeId& id, const crypto::PublicKey& key, crypto::WallTime now);

  const Pki& pki_;
  Records& records_;
  const std::string region_;
  JwtGate* const jwts_;
};

}  // namespace culvert::broker
