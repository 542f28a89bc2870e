// Tickets that the broker replaces while their channels have a path.
#include <utility>
#include <vector>

#include "broker/tickets.h"
#include "culvert/v1/control.pb.h"
#include "tests/integration/broker_fake_fixture.h"

namespace culvert::test {
namespace {

using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;

struct FreshTicketFixture : FakeBrokerFixture {
  FreshTicketFixture()
      : FakeBrokerFixture(
            {.start_wait = Duration::zero(), .ticket_renewal = std::chrono::milliseconds(20)}) {}

  Transport& AttachAs(const std::string& name) {
    AttachRequest request;
    request.mutable_hello()->set_project(kProject);
    request.mutable_hello()->set_name(name);
    request.mutable_hello()->set_caps(kCapable);
    Transport& transport = others.emplace_back();
    Add(Method::kAttach, transport, request.SerializeAsString());
    return transport;
  }
  // A channel that may be resumed.
  uint64_t OpenToResume(uint32_t seconds = 300, uint64_t consumer_caps = kCapable) {
    const uint64_t session = Register(listen);
    auto open = Client::OpenRequest("edge-1", consumer_caps);
    open.mutable_open_request()->set_resume_timeout_s(seconds);
    Add(Method::kConnect, consumer, open.SerializeAsString());
    const uint64_t channel = Offered(listen);
    auto accept = Client::AcceptRequest("edge-1", session, channel, kCapable);
    accept.mutable_open_request()->set_resume_timeout_s(seconds);
    Add(Method::kAccept, provider, accept.SerializeAsString());
    return channel;
  }
  std::vector<AttachResponse::FreshTicket> TakeTickets(Transport& transport) {
    std::vector<AttachResponse::FreshTicket> tickets;
    for (const std::string& frame : std::exchange(transport.writing, {})) {
      AttachResponse response;
      REQUIRE(response.ParseFromString(frame));
      if (response.has_fresh_ticket()) tickets.push_back(response.fresh_ticket());
    }
    return tickets;
  }
  void Wait(Duration time) {
    REQUIRE(Run([&, until = loop.Now() + time] { return loop.Now() >= until; }));
  }
};

TEST_CASE_METHOD(FreshTicketFixture, "Broker replaces the ticket of a channel that lives",
                 "[attach]") {
  Transport& attached = AttachAs("a-consumer");
  Transport& stranger = AttachAs("another");
  const uint64_t channel = OpenToResume();
  REQUIRE(Run([&] { return attached.writing.size() >= 4; }));
  broker::Tickets tickets;  // of --insecure: all have one key
  const auto fresh = TakeTickets(attached);
  REQUIRE(fresh.size() >= 3);
  for (const auto& ticket : fresh) {
    CHECK(ticket.channel_id() == channel);
    const auto opened = tickets.OpenChannel(ticket.ticket(), WallNow());
    REQUIRE(opened.ok());
    CHECK(opened->channel_id() == channel);
    CHECK(opened->consumer_name() == "a-consumer");
    CHECK(opened->resume_timeout_s() == 300);
  }
  CHECK(TakeTickets(stranger).empty());

  REQUIRE(broker.KillChannel(channel));
  TakeTickets(attached);
  Wait(std::chrono::milliseconds(100));
  CHECK(TakeTickets(attached).empty());
}

TEST_CASE_METHOD(FreshTicketFixture, "Broker makes no ticket for who could not use or hear it",
                 "[attach]") {
  Transport* attached = nullptr;
  SECTION("a channel that is not resumed") {
    attached = &AttachAs("a-consumer");
    OpenToResume(0);
  }
  SECTION("a legacy consumer's") {
    attached = &AttachAs("a-consumer");
    OpenToResume(300, kLegacy);
  }
  SECTION("one whose consumer is not attached") {
    attached = &AttachAs("another");
    OpenToResume();
  }
  Wait(std::chrono::milliseconds(100));
  CHECK(TakeTickets(*attached).empty());
  CHECK_FALSE(consumer.finished);
}

}  // namespace
}  // namespace culvert::test
