// Envelopes and channel messages: what the codec accepts protobuf accepts too, with the same
// content, and it survives being written again.
#include <google/protobuf/stubs/logging.h>

#include <string>

#include "base/check.h"
#include "rpc/codec.h"
#include "tests/unit/rpc/envelopes.h"

namespace {

using namespace culvert::rpc;

void CheckMessage(ProtoVersion version, EnvelopeType type, const Envelope& envelope,
                  const culvert::Bytes& wire) {
  const auto decoded = DecodeMessage(envelope.kind, envelope.body);
  if (!decoded.ok()) return;
  const culvert::Bytes again = Join(EncodeMessage(type, *decoded));
  const auto reparsed = ParseEnvelope(type, again);
  CULVERT_CHECK(reparsed.ok() && reparsed->kind == envelope.kind);
  CULVERT_CHECK(SameMessage(*DecodeMessage(reparsed->kind, reparsed->body), *decoded));

  const auto proto = NewEnvelope(version, type);
  if (!proto->ParseFromArray(wire.data(), static_cast<int>(wire.size()))) {
    // Only protobuf minds text that is not UTF-8.
    CULVERT_CHECK(envelope.kind == Kind::kError);
    return;
  }
  const auto* field = MemberField(*proto, envelope.kind);
  CULVERT_CHECK(field != nullptr && proto->GetReflection()->HasField(*proto, field));
  CULVERT_CHECK(SameMessage(
      FromProto(envelope.kind, proto->GetReflection()->GetMessage(*proto, field)), *decoded));
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

// The first byte chooses the envelope and the version.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const EnvelopeType type = kEnvelopeTypes[data[0] % kEnvelopeTypes.size()];
  const auto version = data[0] < 128 ? ProtoVersion::kV1 : ProtoVersion::kV1Alpha2;
  const culvert::Bytes wire(std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  const auto envelope = ParseEnvelope(type, wire);
  if (!envelope.ok()) return 0;
  switch (envelope->kind) {
    case Kind::kControl:
      CULVERT_CHECK(envelope->body == wire);
      break;
    case Kind::kPing:
    case Kind::kPong:
      break;
    default:
      CheckMessage(version, type, *envelope, wire);
  }
  return 0;
}
