#include "broker/health.h"

#include <string>

#include "rpc/wire_reader.h"

namespace culvert::broker {
namespace {

constexpr uint32_t kRequestService = 1;
constexpr char kStatusTag = 1 << 3;  // field 1, varint

}  // namespace

absl::StatusOr<rpc::Frame> AnswerHealthCheck(const Bytes& request, Health health) {
  rpc::WireReader reader(request);
  bool named = false;
  while (std::optional<rpc::WireReader::Field> field = reader.Next()) {
    if (field->number == kRequestService) named = !field->content.empty();
  }
  if (reader.failed()) return absl::InvalidArgumentError("message does not parse");
  if (named) return absl::NotFoundError("service name unknown");
  return rpc::Frame{std::string{kStatusTag, static_cast<char>(health)}, Bytes()};
}

}  // namespace culvert::broker
