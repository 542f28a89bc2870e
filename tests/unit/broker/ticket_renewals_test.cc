#include "broker/ticket_renewals.h"

#include <algorithm>

#include "broker/tickets.h"
#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr Duration kValidity = hours(24);

struct RenewalsFixture {
  MonotonicTime now = MonotonicTime(hours(1));
  TicketRenewals renewals{kValidity};
};

TEST_CASE_METHOD(RenewalsFixture, "Ticket of a channel that lives for weeks never expires",
                 "[ticket_renewals]") {
  Tickets tickets;
  WallTime wall = FromUnixMillis(1'700'000'000'000);
  const auto seal = [&] {
    culvert::v1::ChannelTicket ticket;
    ticket.set_channel_id(5);
    return tickets.Seal(ticket, wall);
  };
  const std::string first = seal();
  std::string newest = first;
  renewals.Add(5, now);
  size_t renewed = 0;
  for (int hour = 0; hour < 24 * 30; ++hour) {
    now += hours(1);
    wall += hours(1);
    for (const uint64_t channel : renewals.TakeDue(now)) {
      CHECK(channel == 5);
      newest = seal();
      ++renewed;
    }
    REQUIRE(tickets.OpenChannel(newest, wall).ok());
  }
  CHECK_FALSE(tickets.OpenChannel(first, wall).ok());
  CHECK(renewed >= 29);
  CHECK(renewed <= 60);
}

TEST_CASE_METHOD(RenewalsFixture, "Tickets that were given at once are renewed at many times",
                 "[ticket_renewals]") {
  constexpr size_t kChannels = 10'000;
  for (uint64_t id = 1; id <= kChannels; ++id) renewals.Add(id, now);
  now += kValidity / 2 - minutes(1);
  CHECK(renewals.TakeDue(now).empty());
  size_t renewed = 0;
  size_t most = 0;
  for (int minute = 0; minute <= 12 * 60 + 1; ++minute) {
    now += minutes(1);
    const size_t count = renewals.TakeDue(now).size();
    most = std::max(most, count);
    renewed += count;
  }
  CHECK(renewed == kChannels);
  CHECK(most < TicketRenewals::kAtOnce);  // on average it is 14
}

TEST_CASE_METHOD(RenewalsFixture, "Ticket renewals are few at once, also when they are late",
                 "[ticket_renewals]") {
  for (uint64_t id = 1; id <= TicketRenewals::kAtOnce + 1; ++id) renewals.Add(id, now);
  now += 10 * kValidity;
  CHECK(renewals.TakeDue(now).size() == TicketRenewals::kAtOnce);
  REQUIRE(renewals.next());
  CHECK(*renewals.next() <= now);
  CHECK(renewals.TakeDue(now).size() == 1);
  CHECK(renewals.TakeDue(now).empty());
}

TEST_CASE_METHOD(RenewalsFixture, "Ticket of a channel that has ended is not renewed",
                 "[ticket_renewals]") {
  renewals.Add(1, now);
  renewals.Add(2, now);
  renewals.Remove(1);
  renewals.Remove(3);
  CHECK(renewals.TakeDue(now + kValidity) == std::vector<uint64_t>{2});
  renewals.Remove(2);
  CHECK_FALSE(renewals.next());
}

}  // namespace
}  // namespace culvert::broker
