#include "rpc/codec.h"

#include <random>

#include "tests/support/catch.h"
#include "tests/unit/rpc/envelopes.h"

namespace culvert::rpc {
namespace {

using google::protobuf::Message;

std::mt19937_64& Random() {
  static std::mt19937_64 random(42);
  return random;
}

// Small and large alike.
uint64_t RandomNumber() { return Random()() >> (Random()() % 64); }

std::string RandomText(size_t limit) {
  std::string text(Random()() % (limit + 1), '\0');
  for (char& c : text) c = static_cast<char>('a' + Random()() % 26);
  return text;
}

tunnel::Message RandomMessage(Kind kind) {
  const uint64_t id = RandomNumber();
  switch (kind) {
    case Kind::kData: {
      std::string payload(Random()() % 1000, '\0');
      for (char& c : payload) c = static_cast<char>(Random()());
      return tunnel::Data{id, Bytes(payload), Random()() % 2 == 0, Random()() % 2 == 0};
    }
    case Kind::kAck:
      return tunnel::Ack{
          id, Random()() % 2 == 0 ? std::nullopt : std::optional<uint64_t>(RandomNumber() | 1)};
    case Kind::kClose:
      return tunnel::Close{id};
    default:
      return tunnel::Error{id, RandomText(tunnel::kMaxErrorText),
                           tunnel::ErrorCodeFromNumber(static_cast<uint32_t>(Random()() % 25))};
  }
}

// Every member that an envelope has.
template <typename Function>
void ForEachMember(Function function) {
  for (const ProtoVersion version : {ProtoVersion::kV1, ProtoVersion::kV1Alpha2}) {
    for (const EnvelopeType type : kEnvelopeTypes) {
      for (const Kind kind : kMemberKinds) {
        const auto envelope = NewEnvelope(version, type);
        if (const auto* field = MemberField(*envelope, kind))
          function(type, kind, *envelope, *field);
      }
    }
  }
}

bool IsChannelKind(Kind kind) { return kind != Kind::kPing && kind != Kind::kPong; }

TEST_CASE("Codec writes what protobuf reads", "[codec]") {
  size_t members = 0;
  ForEachMember([&](EnvelopeType type, Kind kind, Message& envelope, const auto& field) {
    ++members;
    for (int i = 0; i < 100; ++i) {
      if (!IsChannelKind(kind)) {
        const Bytes wire = Join(MakeEnvelope(type, kind, Bytes()));
        REQUIRE(envelope.ParseFromString(std::string(wire.view())));
        REQUIRE(envelope.GetReflection()->HasField(envelope, &field));
        continue;
      }
      const tunnel::Message message = RandomMessage(kind);
      const Bytes wire = Join(EncodeMessage(type, message));
      REQUIRE(envelope.ParseFromString(std::string(wire.view())));
      REQUIRE(envelope.GetReflection()->HasField(envelope, &field));
      REQUIRE(SameMessage(FromProto(kind, envelope.GetReflection()->GetMessage(envelope, &field)),
                          message));
      REQUIRE(envelope.GetReflection()->GetUnknownFields(envelope).empty());
    }
  });
  // Connect and Accept: data, ack, close, error and ping or pong; Listen: ping or pong.
  CHECK(members == 2 * (4 * 5 + 2));
}

TEST_CASE("Codec reads what protobuf writes", "[codec]") {
  ForEachMember([&](EnvelopeType type, Kind kind, Message& envelope, const auto& field) {
    for (int i = 0; i < 100; ++i) {
      Message& body = *envelope.GetReflection()->MutableMessage(&envelope, &field);
      body.Clear();
      const tunnel::Message expected = RandomMessage(kind);
      if (IsChannelKind(kind)) {
        // By way of our encoder, which the test above has checked.
        const absl::StatusOr<Envelope> own =
            ParseEnvelope(type, Join(EncodeMessage(type, expected)));
        REQUIRE(own.ok());
        REQUIRE(body.ParseFromString(std::string(own->body.view())));
      }
      const absl::StatusOr<Envelope> parsed =
          ParseEnvelope(type, Bytes(envelope.SerializeAsString()));
      REQUIRE(parsed.ok());
      REQUIRE(parsed->kind == kind);
      if (!IsChannelKind(kind)) continue;
      const absl::StatusOr<tunnel::Message> decoded = DecodeMessage(kind, parsed->body);
      REQUIRE(decoded.ok());
      REQUIRE(SameMessage(*decoded, expected));
    }
  });
}

TEST_CASE("Codec keeps the payload in the memory of the message", "[codec]") {
  const Bytes payload(std::string(100'000, 'p'));
  const Frame frame = EncodeMessage(EnvelopeType::kConnectRequest, tunnel::Data{1, payload});
  CHECK(frame.body.data() == payload.data());

  const Bytes wire = Join(frame);
  const Envelope envelope = *ParseEnvelope(EnvelopeType::kConnectRequest, wire);
  CHECK(envelope.body.data() > wire.data());
  CHECK(envelope.body.data() + envelope.body.size() == wire.data() + wire.size());
  const auto data = std::get<tunnel::Data>(*DecodeMessage(Kind::kData, envelope.body));
  CHECK(data.bytes.data() + data.bytes.size() == wire.data() + wire.size());
}

TEST_CASE("Codec counts the user's bytes of a Data alone", "[codec]") {
  const Frame frame = EncodeMessage(EnvelopeType::kConnectRequest,
                                    tunnel::Data{7, Bytes(std::string(1000, 'x')), true, true});
  const auto envelope = ParseEnvelope(EnvelopeType::kConnectRequest,
                                      Bytes(frame.head + std::string(frame.body.view())));
  REQUIRE(envelope.ok());
  CHECK(PayloadSize(envelope->body) == 1000);
  CHECK(PayloadSize(Bytes()) == 0);
}

TEST_CASE("Codec skips fields that it does not know", "[codec]") {
  ForEachMember([&](EnvelopeType type, Kind kind, Message& envelope, const auto& field) {
    if (!IsChannelKind(kind)) return;
    const tunnel::Message message = RandomMessage(kind);
    REQUIRE(envelope.ParseFromString(std::string(Join(EncodeMessage(type, message)).view())));
    Message& body = *envelope.GetReflection()->MutableMessage(&envelope, &field);
    for (Message* part : {&envelope, &body}) {
      auto& unknown = *part->GetReflection()->MutableUnknownFields(part);
      unknown.AddVarint(50, 7);
      unknown.AddFixed32(51, 7);
      unknown.AddFixed64(52, 7);
      unknown.AddLengthDelimited(102, "later");
    }
    const absl::StatusOr<Envelope> parsed =
        ParseEnvelope(type, Bytes(envelope.SerializeAsString()));
    REQUIRE(parsed.ok());
    const absl::StatusOr<tunnel::Message> decoded = DecodeMessage(kind, parsed->body);
    REQUIRE(decoded.ok());
    CHECK(SameMessage(*decoded, message));
  });
}

TEST_CASE("Codec hands every other member over as control", "[codec]") {
  ntt::proxies::v1::ConnectRequest request;
  request.mutable_open_request()->set_service("tcp");
  const Bytes wire(request.SerializeAsString());
  const absl::StatusOr<Envelope> parsed = ParseEnvelope(EnvelopeType::kConnectRequest, wire);
  REQUIRE(parsed.ok());
  CHECK(parsed->kind == Kind::kControl);
  CHECK(parsed->body == wire);

  ntt::proxies::v1::AcceptResponse accepted;
  accepted.mutable_accepted();
  CHECK(ParseEnvelope(EnvelopeType::kAcceptResponse, Bytes(accepted.SerializeAsString()))->kind ==
        Kind::kControl);
}

}  // namespace
}  // namespace culvert::rpc
