#include "rpc/wire_reader.h"

#include <limits>

namespace culvert::rpc {
namespace {

constexpr int kMaxVarintBytes = 10;
// Of tags and lengths, which have 32 bits.
constexpr int kMaxVarint32Bytes = 5;

}  // namespace

std::optional<WireReader::Field> WireReader::Next() {
  if (failed_ || left() == 0) return std::nullopt;
  uint64_t tag = 0;
  if (!ReadVarint(kMaxVarint32Bytes, tag) || tag > std::numeric_limits<uint32_t>::max()) {
    return Fail();
  }
  Field field;
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<Type>(tag & 7);
  if (field.number == 0) return Fail();
  size_t skipped = 0;
  switch (field.type) {
    case Type::kVarint:
      if (!ReadVarint(kMaxVarintBytes, field.value)) return Fail();
      break;
    case Type::kDelimited: {
      uint64_t length = 0;
      if (!ReadVarint(kMaxVarint32Bytes, length) || length > left()) return Fail();
      field.content = message_.Slice(at_, length);
      skipped = length;
      break;
    }
    case Type::kFixed64:
      skipped = sizeof(uint64_t);
      break;
    case Type::kFixed32:
      skipped = sizeof(uint32_t);
      break;
    default:
      return Fail();
  }
  if (skipped > left()) return Fail();
  at_ += skipped;
  return field;
}

std::optional<WireReader::Field> WireReader::Fail() {
  failed_ = true;
  return std::nullopt;
}

bool WireReader::ReadVarint(int max_bytes, uint64_t& value) {
  value = 0;
  for (int i = 0; i < max_bytes && left() > 0; ++i) {
    const auto byte = static_cast<unsigned char>(message_.data()[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace culvert::rpc
