// What the two ends' openings inside TLS have in common: their messages, and their failures.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/tls_records.h"

namespace culvert {

// Of "projects/ID".
std::string ProjectId(std::string_view project);

// "opening altered on the way: HOW".
absl::Status OpeningAltered(const std::string& how);

// A failure of TLS, or of who is at the other end, as the channel's error; one that is such an
// error stays it.
absl::Status AsChannelError(const absl::Status& why);

// What the record of one message says. Anything but one whole message of data is no part of an
// opening.
template <typename Proto>
absl::StatusOr<Proto> OpenMessage(crypto::TlsRecords& records, const Bytes& message) {
  absl::StatusOr<crypto::OpenedMessage> opened = records.Open(message.view());
  if (!opened.ok()) return AsChannelError(opened.status());
  Proto proto;
  if (opened->alert ||
      !proto.ParseFromArray(opened->data.data(), static_cast<int>(opened->data.size()))) {
    return OpeningAltered("a message that is no part of it");
  }
  return proto;
}

template <typename Proto>
absl::StatusOr<Bytes> SealMessage(crypto::TlsRecords& records, const Proto& proto) {
  return records.Seal(proto.SerializeAsString());
}

}  // namespace culvert
