// The six envelopes of both versions, by their generated messages.
#pragma once

#include <google/protobuf/message.h>

#include <array>
#include <memory>
#include <string>

#include "ntt/proxies/v1/broker.pb.h"
#include "ntt/proxies/v1alpha2/broker.pb.h"
#include "rpc/codec.h"

namespace culvert::rpc {

inline constexpr std::array kEnvelopeTypes = {
    EnvelopeType::kConnectRequest, EnvelopeType::kConnectResponse, EnvelopeType::kListenRequest,
    EnvelopeType::kListenResponse, EnvelopeType::kAcceptRequest,   EnvelopeType::kAcceptResponse};
inline constexpr std::array kMemberKinds = {Kind::kData,  Kind::kAck,  Kind::kClose,
                                            Kind::kError, Kind::kPing, Kind::kPong};

inline const char* MemberName(Kind kind) {
  constexpr std::array kNames = {"", "data", "ack", "close", "error", "ping", "pong"};
  return kNames[static_cast<size_t>(kind)];
}

template <typename... Messages>
const google::protobuf::Message& PrototypeOf(EnvelopeType type) {
  static const std::array<const google::protobuf::Message*, sizeof...(Messages)> kAll = {
      &Messages::default_instance()...};
  return *kAll[static_cast<size_t>(type)];
}

enum class ProtoVersion { kV1, kV1Alpha2 };

inline std::unique_ptr<google::protobuf::Message> NewEnvelope(ProtoVersion version,
                                                              EnvelopeType type) {
  namespace v1 = ntt::proxies::v1;
  namespace v1alpha2 = ntt::proxies::v1alpha2;
  const google::protobuf::Message& prototype =
      version == ProtoVersion::kV1
          ? PrototypeOf<v1::ConnectRequest, v1::ConnectResponse, v1::ListenRequest,
                        v1::ListenResponse, v1::AcceptRequest, v1::AcceptResponse>(type)
          : PrototypeOf<v1alpha2::ConnectRequest, v1alpha2::ConnectResponse,
                        v1alpha2::ListenRequest, v1alpha2::ListenResponse, v1alpha2::AcceptRequest,
                        v1alpha2::AcceptResponse>(type);
  return std::unique_ptr<google::protobuf::Message>(prototype.New());
}

// The field of `kind`, null if the envelope has none.
inline const google::protobuf::FieldDescriptor* MemberField(
    const google::protobuf::Message& envelope, Kind kind) {
  return envelope.GetDescriptor()->FindFieldByName(MemberName(kind));
}

// What protobuf's message of `kind` says, as ours. The message is Data, Ack, Close or Error.
inline tunnel::Message FromProto(Kind kind, const google::protobuf::Message& body) {
  const google::protobuf::Descriptor& type = *body.GetDescriptor();
  const google::protobuf::Reflection& fields = *body.GetReflection();
  const auto field = [&](const char* name) { return type.FindFieldByName(name); };
  const uint64_t id = fields.GetUInt64(body, field("id"));
  if (kind == Kind::kData) {
    return tunnel::Data{id, Bytes(fields.GetString(body, field("bytes"))),
                        fields.GetBool(body, field("ack_required")),
                        fields.GetBool(body, field("end_of_stream"))};
  }
  if (kind == Kind::kAck) {
    const uint64_t window = fields.GetUInt64(body, field("window"));
    return tunnel::Ack{id, window == 0 ? std::nullopt : std::optional<uint64_t>(window)};
  }
  if (kind == Kind::kClose) return tunnel::Close{id};
  return tunnel::Error{
      id, fields.GetString(body, field("message")),
      tunnel::ErrorCodeFromNumber(static_cast<uint32_t>(fields.GetEnumValue(body, field("code"))))};
}

// Zero is how proto3 says "absent".
inline uint64_t WindowOf(const tunnel::Ack& ack) { return ack.window.value_or(0); }

inline bool SameMessage(const tunnel::Message& a, const tunnel::Message& b) {
  if (a.index() != b.index()) return false;
  if (const auto* data = std::get_if<tunnel::Data>(&a)) {
    const auto& other = std::get<tunnel::Data>(b);
    return data->id == other.id && data->bytes == other.bytes &&
           data->ack_required == other.ack_required && data->end_of_stream == other.end_of_stream;
  }
  if (const auto* ack = std::get_if<tunnel::Ack>(&a)) {
    const auto& other = std::get<tunnel::Ack>(b);
    return ack->id == other.id && WindowOf(*ack) == WindowOf(other);
  }
  if (const auto* error = std::get_if<tunnel::Error>(&a)) {
    const auto& other = std::get<tunnel::Error>(b);
    return error->id == other.id && error->message == other.message && error->code == other.code;
  }
  return std::get<tunnel::Close>(a).id == std::get<tunnel::Close>(b).id;
}

inline Bytes Join(const Frame& frame) { return Bytes(frame.head + std::string(frame.body.view())); }

}  // namespace culvert::rpc
