#include "broker/resumption.h"

#include <cstdint>

#include "tests/support/catch.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

uint32_t Agreed(uint32_t consumer, uint32_t provider) {
  OpenChannel open;
  open.capabilities = tunnel::kCapExactTcp;
  open.resume_timeout_s = consumer;
  AcceptChannel accept;
  accept.capabilities = tunnel::kCapExactTcp;
  accept.resume_timeout_s = provider;
  return AgreedResumeTime(open, accept);
}

TEST_CASE("AgreedResumeTime is the shorter of two", "[resumption]") {
  CHECK(Agreed(300, 120) == 120);
  CHECK(Agreed(0, 120) == 0);
  CHECK(Agreed(86'400, 172'800) == 86'400);
}

TEST_CASE("AgreedResumeTime has a limit that two ends cannot agree away", "[resumption]") {
  CHECK(Agreed(UINT32_MAX, UINT32_MAX) == kMostResumeSeconds);
  CHECK(Agreed(kMostResumeSeconds + 1, UINT32_MAX) == kMostResumeSeconds);
  CHECK(kMostResumeSeconds == 7 * 24 * 3600);
}

TEST_CASE("ResumptionOf believes no ticket that it is for longer than the limit", "[resumption]") {
  culvert::v1::ChannelTicket ticket;
  ticket.set_resume_timeout_s(UINT32_MAX);
  CHECK(ResumptionOf(ticket, ResumeChannel{}, std::nullopt).timeout_s == kMostResumeSeconds);
  ticket.set_resume_timeout_s(300);
  CHECK(ResumptionOf(ticket, ResumeChannel{}, std::nullopt).timeout_s == 300);
}

}  // namespace
}  // namespace culvert::broker
