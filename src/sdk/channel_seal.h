// What the bytes of a channel go through on their way: nothing, or the records of its end-to-end
// TLS session.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/tls_records.h"

namespace culvert {

// Confined to the loop.
class ChannelSeal {
 public:
  // Null: the channel is plain.
  explicit ChannelSeal(std::unique_ptr<crypto::TlsRecords> records = nullptr)
      : records_(std::move(records)) {}

  // How many bytes fit into `room` once they are sealed.
  size_t Room(size_t room) const;

  // A message, and what goes with the end of the direction: each is made once, and a new path
  // carries the same again. kLimit when the key has sealed enough.
  absl::StatusOr<Bytes> Seal(Bytes bytes);
  absl::StatusOr<Bytes> SealEnd();

  // A message of the other end; `end`: it is marked as its last. kAltered unless it is what the
  // other end sealed, and its end is sealed too and nowhere else.
  absl::StatusOr<Bytes> Open(Bytes message, bool end);

 private:
  enum class Sending { kOpen, kEnded };

  std::unique_ptr<crypto::TlsRecords> records_;
  Sending sending_ = Sending::kOpen;
};

}  // namespace culvert
