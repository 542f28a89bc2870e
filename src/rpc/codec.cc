#include "rpc/codec.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "rpc/wire_reader.h"

namespace culvert::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

// Field numbers by kind in each envelope; 0 where the envelope has no such member. The order of the
// numbers really differs from stream to stream.
struct Numbers {
  int data, ack, close, error, ping, pong;
};

constexpr std::array<Numbers, 6> kNumbers = {{
    /* ConnectRequest  */ {4, 3, 5, 6, 7, 0},
    /* ConnectResponse */ {5, 4, 6, 7, 0, 8},
    /* ListenRequest   */ {0, 0, 0, 0, 4, 0},
    /* ListenResponse  */ {0, 0, 0, 0, 0, 4},
    /* AcceptRequest   */ {3, 4, 5, 6, 7, 0},
    /* AcceptResponse  */ {1, 2, 3, 4, 0, 5},
}};

const Numbers& NumbersOf(EnvelopeType type) { return kNumbers[static_cast<size_t>(type)]; }

// All members of the oneofs, ours at 100 and 101 included, are below this and length-delimited.
constexpr uint32_t kMaxMember = 101;

Kind KindOf(EnvelopeType type, int number) {
  const Numbers& numbers = NumbersOf(type);
  if (number == numbers.data) return Kind::kData;
  if (number == numbers.ack) return Kind::kAck;
  if (number == numbers.close) return Kind::kClose;
  if (number == numbers.error) return Kind::kError;
  if (number == numbers.ping) return Kind::kPing;
  if (number == numbers.pong) return Kind::kPong;
  return Kind::kControl;
}

int NumberOf(EnvelopeType type, Kind kind) {
  const Numbers& numbers = NumbersOf(type);
  switch (kind) {
    case Kind::kData:
      return numbers.data;
    case Kind::kAck:
      return numbers.ack;
    case Kind::kClose:
      return numbers.close;
    case Kind::kError:
      return numbers.error;
    case Kind::kPing:
      return numbers.ping;
    case Kind::kPong:
      return numbers.pong;
    case Kind::kControl:
      break;
  }
  return 0;
}

absl::Status Unparsable() { return absl::InvalidArgumentError("message does not parse"); }

constexpr uint32_t VarintTag(int number) {
  return WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_VARINT);
}
constexpr uint32_t DelimitedTag(int number) {
  return WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

constexpr int kId = 1;
constexpr int kDataBytes = 2;
constexpr int kDataAckRequired = 3;
constexpr int kDataEndOfStream = 100;
constexpr int kAckWindow = 100;
constexpr int kErrorMessage = 2;
constexpr int kErrorCode = 100;

// The union of what the four messages hold.
struct Fields {
  uint64_t id = 0;
  Bytes bytes;                      // field 2
  uint64_t three = 0;               // field 3
  std::optional<uint64_t> hundred;  // field 100
};

std::optional<Fields> ReadFields(const Bytes& body) {
  using Type = WireReader::Type;
  WireReader reader(body);
  Fields fields;
  while (std::optional<WireReader::Field> field = reader.Next()) {
    const bool varint = field->type == Type::kVarint;
    if (varint && field->number == kId) fields.id = field->value;
    if (varint && field->number == 3) fields.three = field->value;
    if (varint && field->number == 100) fields.hundred = field->value;
    if (field->type == Type::kDelimited && field->number == 2)
      fields.bytes = std::move(field->content);
  }
  if (reader.failed()) return std::nullopt;
  return fields;
}

// Writes everything but a Data's payload, which follows last.
struct BodyWriter {
  CodedOutputStream& out;

  void Varint(int number, uint64_t value) const {
    if (value == 0) return;  // proto3: the default is not on the wire
    out.WriteTag(VarintTag(number));
    out.WriteVarint64(value);
  }
  void operator()(const tunnel::Data& data) const {
    Varint(kId, data.id);
    Varint(kDataAckRequired, data.ack_required ? 1 : 0);
    Varint(kDataEndOfStream, data.end_of_stream ? 1 : 0);
    if (data.bytes.empty()) return;
    out.WriteTag(DelimitedTag(kDataBytes));
    out.WriteVarint32(static_cast<uint32_t>(data.bytes.size()));
  }
  void operator()(const tunnel::Ack& ack) const {
    Varint(kId, ack.id);
    if (ack.window) Varint(kAckWindow, *ack.window);
  }
  void operator()(const tunnel::Close& close) const { Varint(kId, close.id); }
  void operator()(const tunnel::Error& error) const {
    Varint(kId, error.id);
    Varint(kErrorCode, static_cast<uint64_t>(error.code));
    if (error.message.empty()) return;
    out.WriteTag(DelimitedTag(kErrorMessage));
    out.WriteVarint32(static_cast<uint32_t>(error.message.size()));
    out.WriteString(error.message);
  }
};

Kind KindOfMessage(const tunnel::Message& message) {
  constexpr std::array kKinds = {Kind::kData, Kind::kAck, Kind::kClose, Kind::kError};
  return kKinds[message.index()];
}

std::string EnvelopeHead(EnvelopeType type, Kind kind, size_t body_size) {
  const int number = NumberOf(type, kind);
  CULVERT_CHECK(number != 0);
  std::string head;
  StringOutputStream sink(&head);
  CodedOutputStream out(&sink);
  out.WriteTag(DelimitedTag(number));
  out.WriteVarint32(static_cast<uint32_t>(body_size));
  out.Trim();
  return head;
}

}  // namespace

absl::StatusOr<Envelope> ParseEnvelope(EnvelopeType type, const Bytes& message) {
  WireReader reader(message);
  std::optional<Envelope> found;
  while (std::optional<WireReader::Field> field = reader.Next()) {
    if (field->number > kMaxMember || field->type != WireReader::Type::kDelimited) continue;
    if (found) return absl::InvalidArgumentError("more than one message in an envelope");
    const Kind kind = KindOf(type, static_cast<int>(field->number));
    found.emplace();
    found->kind = kind;
    if (kind == Kind::kControl) {
      found->body = message;
    } else {
      found->body = std::move(field->content);
    }
  }
  if (reader.failed()) return Unparsable();
  if (!found) return absl::InvalidArgumentError("empty message");
  return *std::move(found);
}

size_t PayloadSize(const Bytes& data_body) {
  const std::optional<Fields> fields = ReadFields(data_body);
  return fields ? fields->bytes.size() : 0;
}

Frame FrameOf(const google::protobuf::MessageLite& message) {
  return Frame{message.SerializeAsString(), Bytes()};
}

Frame MakeEnvelope(EnvelopeType type, Kind kind, Bytes body) {
  std::string head = EnvelopeHead(type, kind, body.size());
  return Frame{std::move(head), std::move(body)};
}

Frame EncodeMessage(EnvelopeType type, const tunnel::Message& message) {
  std::string body;
  {
    StringOutputStream sink(&body);
    CodedOutputStream out(&sink);
    std::visit(BodyWriter{out}, message);
    out.Trim();
  }
  Bytes payload;
  if (const auto* data = std::get_if<tunnel::Data>(&message)) payload = data->bytes;
  std::string head = EnvelopeHead(type, KindOfMessage(message), body.size() + payload.size());
  return Frame{std::move(head) + body, std::move(payload)};
}

absl::StatusOr<tunnel::Message> DecodeMessage(Kind kind, const Bytes& body) {
  std::optional<Fields> fields = ReadFields(body);
  if (!fields) return Unparsable();
  switch (kind) {
    case Kind::kData:
      return tunnel::Data{fields->id, std::move(fields->bytes), fields->three != 0,
                          fields->hundred.value_or(0) != 0};
    case Kind::kAck:
      return tunnel::Ack{fields->id, fields->hundred};
    case Kind::kClose:
      return tunnel::Close{fields->id};
    case Kind::kError:
      return tunnel::Error{
          fields->id, std::string(fields->bytes.view()),
          tunnel::ErrorCodeFromNumber(static_cast<uint32_t>(fields->hundred.value_or(0)))};
    case Kind::kControl:
    case Kind::kPing:
    case Kind::kPong:
      break;
  }
  return absl::InvalidArgumentError("not a channel message");
}

}  // namespace culvert::rpc
