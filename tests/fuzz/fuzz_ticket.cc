// Resume tickets as clients hand them in: no crash, nothing that was not sealed opens, and what was
// sealed opens as it was, of its own kind only, and not with a changed byte.
#include <google/protobuf/stubs/logging.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "broker/tickets.h"

namespace {

using culvert::broker::Tickets;
using culvert::v1::ChannelTicket;

const culvert::WallTime kNow = culvert::FromUnixMillis(1'700'000'000'000);

void CheckRefused(std::string_view sealed) {
  Tickets tickets;
  CULVERT_CHECK(absl::IsPermissionDenied(tickets.OpenChannel(sealed, kNow).status()));
  CULVERT_CHECK(absl::IsPermissionDenied(tickets.OpenSession(sealed, kNow).status()));
}

void CheckSealed(ChannelTicket ticket, uint8_t at) {
  Tickets tickets;
  std::string sealed = tickets.Seal(ticket, kNow);
  const auto opened = tickets.OpenChannel(sealed, kNow);
  if (sealed.size() > Tickets::kMostBytes) {
    CULVERT_CHECK(!opened.ok());
    return;
  }
  CULVERT_CHECK(opened.ok());
  ticket.set_issued_at(opened->issued_at());
  ticket.set_expires_at(opened->expires_at());
  CULVERT_CHECK(opened->SerializeAsString() == ticket.SerializeAsString());
  CULVERT_CHECK(!tickets.OpenSession(sealed, kNow).ok());
  sealed[at % sealed.size()] ^= 1;
  CheckRefused(sealed);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

// The first byte says which byte of a sealed ticket is changed; the rest is a ticket, sealed or
// not.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  CheckRefused(rest);
  ChannelTicket ticket;
  if (ticket.ParseFromString(rest)) CheckSealed(ticket, data[0]);
  return 0;
}
