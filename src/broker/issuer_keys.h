// The keys of one issuer, read again when they are old or one is missing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "broker/jwks_fetch.h"
#include "crypto/jwk.h"
#include "net/event_loop.h"
#include "net/work.h"
#include "store/issuer_table.h"

namespace culvert::broker {

// Runs on a worker's thread.
using FetchKeys = std::function<absl::StatusOr<std::string>(const KeySource&)>;

// Confined to the control loop; destroy = cancel. The last keys that could be used stay until there
// are others.
class IssuerKeys {
 public:
  static constexpr Duration kFreshFor = std::chrono::minutes(10);
  // Whoever sends tokens with names of keys that are not there does not make it read more often.
  static constexpr Duration kShortestPause = std::chrono::minutes(1);
  // Reads of all issuers at once: libuv has four threads, and others want them too.
  static constexpr int kMostReads = 2;

  // The text of the new keys, on the loop; not for the same ones again.
  using OnKeys = std::function<void(const std::string& text)>;

  // `reads` counts for all issuers, and outlives it.
  IssuerKeys(net::EventLoop& loop, store::Issuer issuer, FetchKeys fetch, int& reads,
             OnKeys on_keys);
  ~IssuerKeys();
  IssuerKeys(const IssuerKeys&) = delete;
  IssuerKeys& operator=(const IssuerKeys&) = delete;

  const store::Issuer& issuer() const { return issuer_; }
  const crypto::JwkSet& keys() const { return keys_; }

  void RefreshIfOld();
  // A key is missing. Whether they are being read now.
  bool Refresh();

 private:
  struct Result {
    absl::StatusOr<std::string> text;
    absl::StatusOr<crypto::JwkSet> keys;
  };
  bool Rested(Duration pause) const;
  void Read();
  void HandleRead(const Result& result);

  net::EventLoop& loop_;
  const store::Issuer issuer_;
  const FetchKeys fetch_;
  int& reads_;
  const OnKeys on_keys_;
  std::string text_;  // of keys_
  crypto::JwkSet keys_;
  std::optional<MonotonicTime> tried_;
  std::optional<net::Work> work_;
};

}  // namespace culvert::broker
