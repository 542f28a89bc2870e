// The unary calls of culvert.v1.Identity: enrolment, renewal, and what a principal may ask.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/gate.h"
#include "broker/pki.h"
#include "broker/records.h"
#include "rpc/stream.h"
#include "rpc/stream_info.h"

namespace culvert::broker {

// Confined to the control loop. An answer takes some milliseconds at most: one signature.
class IdentityCalls {
 public:
  // All outlive it.
  IdentityCalls(const Pki& pki, Records& records, std::string region)
      : pki_(pki), records_(records), region_(std::move(region)) {}

  // A certificate, as an answer.
  struct Issued {
    rpc::Frame answer;
    Principal to;
  };

  // For who has no certificate yet.
  absl::StatusOr<Issued> Enroll(const Bytes& message, crypto::WallTime now);
  absl::StatusOr<Issued> Renew(const Principal& who, const Bytes& message, crypto::WallTime now);
  // For `who`, of the connection that `info` describes.
  absl::StatusOr<rpc::Frame> WhoAmI(const Principal& who, const rpc::StreamInfo& info) const;

 private:
  Issued Issue(const crypto::SpiffeId& id, const crypto::PublicKey& key, crypto::WallTime now);

  const Pki& pki_;
  Records& records_;
  const std::string region_;
};

}  // namespace culvert::broker
