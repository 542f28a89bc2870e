// Gets the keys of an issuer: from a file, or by https.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace culvert::broker {

struct KeySource {
  std::string location;     // an absolute path, or an https URL; an administrator's word
  std::string authorities;  // PEM, for a URL; empty: the system's
};

// At most crypto::JwkSet::kMostBytes, and for a URL 5 s: one request, no redirect, no proxy, TLS
// 1.2 or later with the name checked. The message of a failure names the source. Blocks: for a
// worker's thread.
absl::StatusOr<std::string> FetchKeySet(const KeySource& source);

}  // namespace culvert::broker
