// Certificates that are signed on another machine than the broker's: requests and certificates as
// lines of JSON that a file carries there and back.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/wall_time.h"
#include "crypto/certificate_authority.h"
#include "store/signing_table.h"

namespace culvert::broker {

// What one request or certificate is for. A broker has neither project nor name.
struct SigningSubject {
  std::string role;  // "agent", "user" or "broker"
  std::string project = {};
  std::string name = {};

  // "agent edge-1 of projects/default", "the broker".
  std::string ToString() const;
};

// {"role": …, "project": …, "name": …, "key": …, "asked": …, "request": …}
nlohmann::ordered_json SigningRequestJson(const store::SigningRequest& request);
nlohmann::ordered_json BrokerRequestJson(const std::string& key_id, const std::string& request);

// What may be in one line, and in all of them.
inline constexpr size_t kMostSigningLine = size_t{32} * 1024;
inline constexpr size_t kMostSigningBytes = size_t{64} * 1024 * 1024;

struct SigningOptions {
  // "agent:edge-1", "user:alice", "broker" or "key:KEYID": only those; empty: all.
  std::vector<std::string> only;
  // Sees whom each is for, and its key id, before anything is given out.
  std::function<void(const SigningSubject&, const std::string& key_id)> on_request = {};
};
// Signs the requests in `lines`, which come from a machine that need not be trusted with more than
// saying which key is whose: the lines with the certificates. INVALID_ARGUMENT that names the line
// if one of them is no request, FAILED_PRECONDITION if two keys are for the same one and none of
// them is named; then nothing is signed.
absl::StatusOr<std::string> SignRequests(const crypto::CertificateAuthority& authority,
                                         std::string_view lines, const SigningOptions& options,
                                         WallTime now);

// The certificate that a line of SignRequests holds; what else it says is for people.
absl::StatusOr<std::string> ReadSignedLine(std::string_view line);

// Whether `certificate` is what `request` waits for, and `authority` issued it: INVALID_ARGUMENT or
// UNAUTHENTICATED with the reason otherwise.
absl::Status CheckSigned(const crypto::Certificate& certificate,
                         const store::SigningRequest& request, const crypto::Certificate& authority,
                         WallTime now);
// The same for the broker's own, whose key is `key`.
absl::Status CheckSignedForBroker(const crypto::Certificate& certificate,
                                  const crypto::PublicKey& key,
                                  const crypto::Certificate& authority, WallTime now);

}  // namespace culvert::broker
