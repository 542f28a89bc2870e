#include "crypto/tls_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace culvert::crypto {
namespace {

constexpr uint8_t kAlertType = 21;
constexpr uint8_t kDataType = 23;
constexpr size_t kHeaderBytes = 5;
constexpr size_t kSequenceBytes = 8;
constexpr size_t kAlertBytes = 2;
constexpr std::string_view kVersion = "\x03\x03";
constexpr std::string_view kCloseNotify = {"\x01\x00", kAlertBytes};  // a warning

absl::Status Altered(std::string_view how) {
  return absl::DataLossError(fmt::format("altered on the way: {}", how));
}

absl::Status Exhausted(std::string_view what) {
  return absl::ResourceExhaustedError(fmt::format("the connection's key has {} enough", what));
}

char* WriteNumber(uint64_t number, size_t bytes, char* out) {
  for (size_t i = bytes; i-- > 0; number >>= 8) out[i] = static_cast<char>(number & 0xff);
  return out + bytes;
}

char* Write(std::string_view text, char* out) {
  return std::copy_n(text.begin(), text.size(), out);
}

size_t RecordsFor(size_t plaintext) {
  return (plaintext + TlsRecords::kMostPlaintext - 1) / TlsRecords::kMostPlaintext;
}

// What is authenticated beside the plaintext: RFC 5246 §6.2.3.3.
class Authenticated {
 public:
  Authenticated(uint64_t sequence, uint8_t type, size_t plaintext) {
    char* at = WriteNumber(sequence, kSequenceBytes, octets_.data());
    *at++ = static_cast<char>(type);
    WriteNumber(plaintext, 2, Write(kVersion, at));
  }
  std::string_view view() const { return {octets_.data(), octets_.size()}; }

 private:
  std::array<char, kSequenceBytes + kHeaderBytes> octets_;
};

// A buffer that is not filled with zeros first, and will be shared.
std::shared_ptr<char[]> NewBuffer(size_t size) {
  return std::make_shared_for_overwrite<char[]>(size);
}

Nonce GcmNonce(const Secret<kNonceBytes>& salt, std::string_view explicit_part) {
  Nonce nonce;
  std::copy_n(salt.data(), kNonceBytes - kSequenceBytes, nonce.data());
  explicit_part.copy(reinterpret_cast<char*>(nonce.data()) + kNonceBytes - kSequenceBytes,
                     kSequenceBytes);
  return nonce;
}

Nonce ChaChaNonce(const Secret<kNonceBytes>& mask, uint64_t sequence) {
  Nonce nonce{};
  WriteNumber(sequence, kSequenceBytes,
              reinterpret_cast<char*>(nonce.data()) + kNonceBytes - kSequenceBytes);
  for (size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= mask.data()[i];
  return nonce;
}

}  // namespace

// One whole record at the beginning of a message.
struct TlsRecords::Record {
  uint8_t type = 0;
  std::string_view explicit_nonce;
  std::string_view sealed;
  size_t bytes = 0;

  size_t plaintext() const { return sealed.size() - kTagBytes; }
};

TlsRecords::TlsRecords(const TlsKeys& keys, RecordLayer layer, uint64_t most_bytes)
    : suite_(keys.suite), explicit_bytes_(keys.suite == TlsSuite::kAes128Gcm ? kSequenceBytes : 0) {
  const auto begin = [&](Direction& direction, const TrafficKey& key, RecordCipher::Use use) {
    direction.cipher = MakeRecordCipher(layer, suite_, key, use);
    std::copy_n(key.nonce.data(), key.nonce.size(), direction.nonce.data());
    direction.bytes_left = most_bytes;
  };
  begin(seal_, keys.seal, RecordCipher::Use::kSeal);
  begin(open_, keys.open, RecordCipher::Use::kOpen);
}

// --- Sealing ---

absl::StatusOr<Bytes> TlsRecords::Seal(std::string_view plaintext) {
  return SealRecords(plaintext, 0);
}

absl::StatusOr<Bytes> TlsRecords::SealLast(std::string_view plaintext) {
  absl::StatusOr<Bytes> sealed = SealRecords(plaintext, 1);
  if (sealed.ok())
    seal_.over = absl::FailedPreconditionError("this direction was closed by close_notify");
  return sealed;
}

absl::StatusOr<Bytes> TlsRecords::SealRecords(std::string_view plaintext, size_t alerts) {
  CULVERT_RETURN_IF_ERROR(seal_.over);
  const size_t overhead = kHeaderBytes + explicit_bytes_ + kTagBytes;
  const size_t size = plaintext.size() + RecordsFor(plaintext.size()) * overhead +
                      alerts * (kAlertBytes + overhead);
  if (size > seal_.bytes_left) return seal_.over = Exhausted("sealed");
  seal_.bytes_left -= size;
  const std::shared_ptr<char[]> buffer = NewBuffer(size);
  char* at = buffer.get();
  for (; !plaintext.empty(); plaintext.remove_prefix(std::min(kMostPlaintext, plaintext.size())))
    at = SealRecord(kDataType, plaintext.substr(0, kMostPlaintext), at);
  for (; alerts > 0; --alerts) at = SealRecord(kAlertType, kCloseNotify, at);
  CULVERT_CHECK(at == buffer.get() + size);
  return Bytes(buffer, {buffer.get(), size});
}

// Returns where the next record begins.
char* TlsRecords::SealRecord(uint8_t type, std::string_view plaintext, char* out) {
  *out++ = static_cast<char>(type);
  out = WriteNumber(explicit_bytes_ + plaintext.size() + kTagBytes, 2, Write(kVersion, out));
  Nonce nonce;
  if (suite_ == TlsSuite::kAes128Gcm) {
    // The sequence number, for RFC 5288 §3 wants no more of the explicit part than uniqueness.
    const char* const explicit_part = out;
    out = WriteNumber(seal_.sequence, kSequenceBytes, out);
    nonce = GcmNonce(seal_.nonce, {explicit_part, kSequenceBytes});
  } else {
    nonce = ChaChaNonce(seal_.nonce, seal_.sequence);
  }
  const Authenticated authenticated(seal_.sequence++, type, plaintext.size());
  seal_.cipher->Seal(nonce, authenticated.view(), plaintext, out);
  return out + plaintext.size() + kTagBytes;
}

// --- Opening ---

absl::StatusOr<OpenedMessage> TlsRecords::Open(std::string_view message) {
  CULVERT_RETURN_IF_ERROR(open_.over);
  absl::StatusOr<OpenedMessage> opened = OpenRecords(message);
  if (!opened.ok()) {
    open_.over = opened.status();
  } else if (opened->alert) {
    open_.over = Altered("something follows the alert that ended this direction");
  }
  return opened;
}

absl::StatusOr<OpenedMessage> TlsRecords::OpenRecords(std::string_view message) {
  if (message.size() > open_.bytes_left) return Exhausted("opened");
  open_.bytes_left -= message.size();
  OpenedMessage opened;
  const std::shared_ptr<char[]> buffer = NewBuffer(message.size());
  char* end = buffer.get();
  while (!message.empty()) {
    if (opened.alert) return Altered("something follows an alert");
    CULVERT_ASSIGN_OR_RETURN(const Record record, NextRecord(message));
    message.remove_prefix(record.bytes);
    if (!OpenRecord(record, end))
      return Altered(fmt::format("record {} does not open", open_.sequence));
    ++open_.sequence;
    if (record.type == kDataType) {
      end += record.plaintext();
    } else {
      opened.alert = TlsAlert{static_cast<uint8_t>(end[0]), static_cast<uint8_t>(end[1])};
    }
  }
  opened.data = Bytes(buffer, {buffer.get(), static_cast<size_t>(end - buffer.get())});
  return opened;
}

absl::StatusOr<TlsRecords::Record> TlsRecords::NextRecord(std::string_view message) const {
  if (message.size() < kHeaderBytes) return Altered("a record's header is cut off");
  Record record;
  record.type = static_cast<uint8_t>(message[0]);
  if (record.type != kDataType && record.type != kAlertType)
    return Altered(fmt::format("a record of type {}", record.type));
  if (message.substr(1, kVersion.size()) != kVersion) return Altered("a record of another version");
  const size_t length =
      size_t{static_cast<uint8_t>(message[3])} << 8 | static_cast<uint8_t>(message[4]);
  const size_t overhead = explicit_bytes_ + kTagBytes;
  if (length < overhead || length > kMostPlaintext + overhead)
    return Altered(fmt::format("a record of {} bytes", length));
  record.bytes = kHeaderBytes + length;
  if (message.size() < record.bytes) return Altered("a record is cut off");
  record.explicit_nonce = message.substr(kHeaderBytes, explicit_bytes_);
  record.sealed = message.substr(kHeaderBytes + explicit_bytes_, length - explicit_bytes_);
  if (record.type == kAlertType && record.plaintext() != kAlertBytes)
    return Altered("an alert of the wrong size");
  return record;
}

bool TlsRecords::OpenRecord(const Record& record, char* out) {
  const Nonce nonce = suite_ == TlsSuite::kAes128Gcm ? GcmNonce(open_.nonce, record.explicit_nonce)
                                                     : ChaChaNonce(open_.nonce, open_.sequence);
  const Authenticated authenticated(open_.sequence, record.type, record.plaintext());
  return open_.cipher->Open(nonce, authenticated.view(), record.sealed, out);
}

}  // namespace culvert::crypto
