// What the codec refuses.
#include "rpc/codec.h"
#include "tests/support/catch.h"
#include "tests/unit/rpc/envelopes.h"

namespace culvert::rpc {
namespace {

Bytes Wire(const std::string& bytes) { return Bytes(bytes); }

std::string DataWire() {
  return std::string(Join(EncodeMessage(EnvelopeType::kConnectRequest,
                                        tunnel::Data{300, Bytes(std::string(20, 'x')), true, true}))
                         .view());
}

TEST_CASE("Codec refuses a message that is cut anywhere", "[codec]") {
  const std::string whole = DataWire();
  for (size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK(absl::IsInvalidArgument(
        ParseEnvelope(EnvelopeType::kConnectRequest, Wire(whole.substr(0, size))).status()));
  }
}

TEST_CASE("Codec refuses a body wherever protobuf does", "[codec]") {
  const std::string body(
      ParseEnvelope(EnvelopeType::kConnectRequest, Wire(DataWire()))->body.view());
  for (size_t size = 0; size <= body.size(); ++size) {
    INFO(size);
    const std::string cut = body.substr(0, size);
    ntt::proxies::v1::Data proto;
    const absl::StatusOr<tunnel::Message> decoded = DecodeMessage(Kind::kData, Wire(cut));
    REQUIRE(decoded.ok() == proto.ParseFromString(cut));
    if (decoded.ok()) CHECK(SameMessage(*decoded, FromProto(Kind::kData, proto)));
  }
}

TEST_CASE("Codec refuses lengths that reach beyond the message", "[codec]") {
  // ConnectRequest.data is field 4: tag 0x22; the payload in it is field 2: tag 0x12.
  const std::string length =
      GENERATE(as<std::string>(), "\x02", "\x7f", "\xff\xff\xff\xff\x07" /* 2^31 - 1 */,
               "\x80\x80\x80\x80\x08" /* 2^31 */, "\xff\xff\xff\xff\x0f" /* 2^32 - 1 */,
               "\x80\x80\x80\x80\x80\x01" /* 2^35 */,
               "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* 2^64 - 1 */,
               "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* no varint */);
  CHECK_FALSE(ParseEnvelope(EnvelopeType::kConnectRequest, Wire("\x22" + length + "x")).ok());
  CHECK_FALSE(DecodeMessage(Kind::kData, Wire("\x12" + length + "x")).ok());
  // In a field that is skipped (102, length-delimited) as well.
  CHECK_FALSE(ParseEnvelope(EnvelopeType::kConnectRequest, Wire("\xb2\x06" + length + "x")).ok());
  CHECK_FALSE(DecodeMessage(Kind::kData, Wire("\xb2\x06" + length + "x")).ok());
}

TEST_CASE("Codec refuses an envelope with two members", "[codec]") {
  const std::string data = DataWire();
  ntt::proxies::v1::ConnectRequest ping;
  ping.mutable_ping();
  ntt::proxies::v1::ConnectRequest open;
  open.mutable_open_request();
  for (const std::string& other : {data, ping.SerializeAsString(), open.SerializeAsString()}) {
    CHECK_FALSE(ParseEnvelope(EnvelopeType::kConnectRequest, Wire(data + other)).ok());
    CHECK_FALSE(ParseEnvelope(EnvelopeType::kConnectRequest, Wire(other + data)).ok());
  }
}

TEST_CASE("Codec refuses an envelope without a member", "[codec]") {
  for (const EnvelopeType type : kEnvelopeTypes) {
    CHECK_FALSE(ParseEnvelope(type, Bytes()).ok());
    CHECK_FALSE(ParseEnvelope(type, Wire("\x90\x03\x07")).ok());  // field 50, a varint
  }
}

TEST_CASE("Codec refuses what is no field", "[codec]") {
  const std::string field = GENERATE(as<std::string>(), std::string("\x00", 1),  // tag 0
                                     std::string("\x02\x00", 2),  // number 0, length-delimited
                                     std::string("\x04", 1),      // the end of group 0
                                     "\x23",                      // a group that never ends
                                     "\x23\x24",                  // a group: proto3 has none
                                     "\x24",                      // the end of a group
                                     "\x26", "\x27");             // wire types that there are none
  for (const EnvelopeType type : kEnvelopeTypes) CHECK_FALSE(ParseEnvelope(type, Wire(field)).ok());
  // Behind a member too.
  CHECK_FALSE(ParseEnvelope(EnvelopeType::kConnectRequest, Wire(DataWire() + field)).ok());
  CHECK_FALSE(DecodeMessage(Kind::kAck, Wire("\x08\x05" + field)).ok());
  for (const Kind kind : {Kind::kData, Kind::kAck, Kind::kClose, Kind::kError})
    CHECK_FALSE(DecodeMessage(kind, Wire(field)).ok());
}

TEST_CASE("Codec decodes nothing but channel messages", "[codec]") {
  for (const Kind kind : {Kind::kControl, Kind::kPing, Kind::kPong})
    CHECK(absl::IsInvalidArgument(DecodeMessage(kind, Bytes()).status()));
}

TEST_CASE("Codec reads an error code that it does not know as none", "[codec]") {
  ntt::proxies::v1::Error error;
  error.set_code(static_cast<culvert::v1::ErrorCode>(9999));
  const auto decoded = DecodeMessage(Kind::kError, Bytes(error.SerializeAsString()));
  CHECK(std::get<tunnel::Error>(*decoded).code == ErrorCode::kUnspecified);
}

}  // namespace
}  // namespace culvert::rpc
