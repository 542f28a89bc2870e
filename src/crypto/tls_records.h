// The records of a TLS 1.2 connection whose handshake is done (RFC 5246 §6.2): seals and opens,
// over memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/record_cipher.h"
#include "crypto/tls_keys.h"

namespace culvert::crypto {

// RFC 5246 §7.2.
struct TlsAlert {
  static constexpr uint8_t kCloseNotify = 0;

  uint8_t level = 0;
  uint8_t description = 0;

  bool is_close_notify() const { return description == kCloseNotify; }
};

// "close_notify", "certificate_expired", …, or the number.
std::string AlertName(uint8_t description);

// What a message held: data, of as many records as there were, and at its end perhaps an alert.
struct OpenedMessage {
  Bytes data;
  std::optional<TlsAlert> alert;
};

// One connection's records, both ways. The keys are wiped with it. Confined to one thread at a
// time.
//
// The directions are independent: after SealLast the peer's records are still opened, and after an
// alert of the peer's ours are still sealed.
class TlsRecords {
 public:
  // Plaintext of one record, and the most that sealing adds to it.
  static constexpr size_t kMostPlaintext = size_t{16} * 1024;
  static constexpr size_t kMostOverhead = 5 + 8 + kTagBytes;
  // Bytes on the wire per direction and key: far below what GCM bears, far above any real use.
  static constexpr uint64_t kMostBytes = uint64_t{1} << 44;

  // For the record after the Finished of each side, whose sequence number was 0.
  TlsRecords(const TlsKeys& keys, RecordLayer layer, uint64_t most_bytes = kMostBytes);

  // As many whole records as `plaintext` needs, none if it is empty. FAILED_PRECONDITION after
  // SealLast; RESOURCE_EXHAUSTED, with nothing sealed, when the key has sealed enough.
  absl::StatusOr<Bytes> Seal(std::string_view plaintext);
  // The same, and then close_notify: this direction ends here.
  absl::StatusOr<Bytes> SealLast(std::string_view plaintext);
  absl::StatusOr<Bytes> SealCloseNotify() { return SealLast({}); }

  // `message` holds whole records, in the order in which they were sealed, none left out.
  // DATA_LOSS "altered on the way: …" otherwise, for a record of a type that has no place here, and
  // for whatever follows an alert; RESOURCE_EXHAUSTED when the key has opened enough. Nothing of
  // the message is given out then, and every later call fails in the same way.
  absl::StatusOr<OpenedMessage> Open(std::string_view message);

 private:
  struct Direction {
    std::unique_ptr<RecordCipher> cipher;
    Secret<kNonceBytes> nonce;
    uint64_t sequence = 1;
    uint64_t bytes_left = 0;
    absl::Status over;  // why there is nothing more; OK while there may be
  };
  struct Record;

  char* SealRecord(uint8_t type, std::string_view plaintext, char* out);
  absl::StatusOr<Bytes> SealRecords(std::string_view plaintext, size_t alerts);
  absl::StatusOr<OpenedMessage> OpenRecords(std::string_view message);
  absl::StatusOr<Record> NextRecord(std::string_view message) const;
  bool OpenRecord(const Record& record, char* out);

  const TlsSuite suite_;
  const size_t explicit_bytes_;  // of the nonce, in each record
  Direction seal_;
  Direction open_;
};

}  // namespace culvert::crypto
