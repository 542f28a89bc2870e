// The first messages of the three RPCs: no crash, and whatever is accepted keeps to the limits that
// the broker relies on.
#include <google/protobuf/stubs/logging.h>

#include <string>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "broker/requests.h"

namespace {

using namespace culvert::broker;

constexpr char kRegion[] = "here";

void CheckKey(const ProviderKey& key, culvert::rpc::StreamInfo::Version version) {
  CULVERT_CHECK(key.project.rfind("projects/", 0) == 0 && key.project.size() <= 9 + 128);
  CULVERT_CHECK(key.region.size() <= 128);
  CULVERT_CHECK(!key.name.empty() && key.name.size() <= 128 && key.service_domain.size() <= 128);
  if (version == culvert::rpc::StreamInfo::Version::kV1Alpha2)
    CULVERT_CHECK(key.service_domain.empty());
  // They are written into logs as they are.
  for (const std::string& part : {key.project, key.region, key.name, key.service_domain})
    CULVERT_CHECK(culvert::Printable(part) == part);
}

void CheckConsumer(const std::string& name) {
  CULVERT_CHECK(name.size() <= 128);
  for (const char c : name) CULVERT_CHECK(c > ' ' && c < 0x7f);
}

void CheckStatus(const absl::Status& status) {
  CULVERT_CHECK(absl::IsInvalidArgument(status) || absl::IsNotFound(status));
  const std::string message(status.message());
  CULVERT_CHECK(!message.empty() && message.find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

// The first byte chooses the RPC and the version.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using Version = culvert::rpc::StreamInfo::Version;
  const Version version = data[0] < 128 ? Version::kV1 : Version::kV1Alpha2;
  const culvert::Bytes wire(std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  if (data[0] % 3 == 0) {
    const auto opening = ParseConnectOpening(version, wire, kRegion);
    if (!opening.ok()) {
      CheckStatus(opening.status());
    } else if (const auto* open = std::get_if<OpenChannel>(&*opening)) {
      CheckKey(open->provider, version);
      CULVERT_CHECK(!open->service.empty() && open->arg.size() <= kMaxArgBytes);
      CheckConsumer(open->consumer);
    } else {
      const auto& resume = std::get<ResumeChannel>(*opening);
      CheckKey(resume.provider, version);
      CULVERT_CHECK(resume.provider.region == kRegion);
      CheckConsumer(resume.consumer);
      CULVERT_CHECK(resume.ticket.size() <= kMaxTicketBytes);
    }
  } else if (data[0] % 3 == 1) {
    const auto opening = ParseListenOpening(version, wire, kRegion);
    if (!opening.ok()) {
      CheckStatus(opening.status());
    } else {
      CheckKey(opening->provider, version);
      CULVERT_CHECK(opening->provider.region == kRegion);
      CULVERT_CHECK(!opening->earlier || opening->earlier->ticket.size() <= kMaxTicketBytes);
    }
  } else {
    const auto accept = ParseAcceptOpening(version, wire, kRegion);
    if (!accept.ok()) {
      CheckStatus(accept.status());
    } else {
      CheckKey(accept->provider, version);
    }
  }
  return 0;
}
