// Reads the fields of a serialized proto3 message without copying what is in them.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace culvert::rpc {

// Never accepts what protobuf's own parser refuses. That is why it is not a CodedInputStream, which
// cuts over-long tags and lengths to 32 bits and takes the end of the message for the end of a
// group. Groups are refused: no proto3 encoder writes them.
class WireReader {
 public:
  enum class Type { kVarint = 0, kFixed64 = 1, kDelimited = 2, kFixed32 = 5 };

  struct Field {
    uint32_t number = 0;  // at least 1
    Type type = Type::kVarint;
    uint64_t value = 0;  // of kVarint
    Bytes content;       // of kDelimited: a part of the message
  };

  explicit WireReader(const Bytes& message) : message_(message) {}

  // The next field; none at the end, or when the rest does not parse: then failed() is true.
  std::optional<Field> Next();
  bool failed() const { return failed_; }

 private:
  std::optional<Field> Fail();
  // Varints of more bytes fail.
  bool ReadVarint(int max_bytes, uint64_t& value);
  size_t left() const { return message_.size() - at_; }

  const Bytes& message_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace culvert::rpc
