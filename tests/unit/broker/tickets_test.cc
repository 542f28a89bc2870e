#include "broker/tickets.h"

#include <google/protobuf/util/message_differencer.h>

#include <memory>

#include "culvert/error_code.h"
#include "tests/support/catch.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::broker {
namespace {

using culvert::v1::ChannelTicket;
using culvert::v1::SessionTicket;

constexpr std::chrono::hours kDay{24};

struct TicketsFixture : store::StoreFixture {
  TicketsFixture() { Restart(); }

  void Restart() {
    tickets.reset();
    Reopen();
    tickets = std::make_unique<Tickets>(&store->ticket_keys(), &store->killed_channels());
  }
  std::string SealOne() { return tickets->Seal(Channel(), now); }
  static ChannelTicket Channel() {
    ChannelTicket ticket;
    ticket.set_consumer_key("k");
    ticket.set_service("tcp");
    ticket.set_arg("db.internal:5432");
    ticket.set_session_id(1);
    ticket.set_channel_id(uint64_t{1} << 62);
    return ticket;
  }
  // The code of the refusal; none if it opens.
  ErrorCode Refusal(const std::string& sealed) {
    const auto opened = tickets->OpenChannel(sealed, now);
    if (opened.ok()) return ErrorCode::kUnspecified;
    CHECK(absl::IsPermissionDenied(opened.status()));
    return ErrorCodeOf(opened.status());
  }

  std::unique_ptr<Tickets> tickets;
};

TEST_CASE_METHOD(TicketsFixture, "Tickets open as they were sealed, for seven days", "[tickets]") {
  ChannelTicket expected = Channel();
  const auto seconds = static_cast<int64_t>(ToUnixMillis(now) / 1000);
  expected.set_issued_at(seconds);
  expected.set_expires_at(seconds + 7 * 86400);
  const auto channel = tickets->OpenChannel(SealOne(), now);
  REQUIRE(channel.ok());
  CHECK(google::protobuf::util::MessageDifferencer::Equals(*channel, expected));

  SessionTicket session;
  session.set_provider("edge-1");
  session.set_incarnation(~uint64_t{0});
  const auto opened = tickets->OpenSession(tickets->Seal(session, now), now);
  REQUIRE(opened.ok());
  CHECK(opened->provider() == "edge-1");
  CHECK(opened->incarnation() == ~uint64_t{0});
  CHECK(opened->expires_at() == seconds + 7 * 86400);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets show nothing of what they hold, and no two are the same",
                 "[tickets]") {
  const std::string sealed = SealOne();
  CHECK(sealed.find("db.internal") == std::string::npos);
  CHECK(sealed != SealOne());
}

TEST_CASE_METHOD(TicketsFixture, "Tickets are refused when any byte was changed or cut off",
                 "[tickets]") {
  const std::string sealed = SealOne();
  for (size_t i = 0; i < sealed.size(); ++i) {
    for (const int bit : {1, 0x80}) {
      std::string changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ bit);
      CHECK(Refusal(changed) == ErrorCode::kDenied);
    }
    CHECK(Refusal(sealed.substr(0, i)) == ErrorCode::kDenied);
  }
  CHECK(Refusal(sealed + '\0') == ErrorCode::kDenied);
  CHECK(Refusal(std::string(Tickets::kMostBytes + 1, '\1')) == ErrorCode::kDenied);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets of a channel are none of a session, and the reverse",
                 "[tickets]") {
  CHECK_FALSE(tickets->OpenSession(SealOne(), now).ok());
  // Empty ones are the same bytes when they are open.
  CHECK(Refusal(tickets->Seal(SessionTicket(), now)) == ErrorCode::kDenied);
  CHECK(Refusal(tickets->Seal(ChannelTicket(), now)) == ErrorCode::kUnspecified);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets expire after seven days, with five minutes' leeway",
                 "[tickets]") {
  const std::string sealed = SealOne();
  now += kDay * 7 + std::chrono::minutes(5);
  CHECK(Refusal(sealed) == ErrorCode::kUnspecified);
  now += std::chrono::seconds(1);
  CHECK(Refusal(sealed) == ErrorCode::kExpired);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets of each of the last days open while keys change daily",
                 "[tickets]") {
  std::vector<std::string> sealed;
  for (int day = 0; day <= 10; ++day) {
    if (day > 0) now += kDay;
    sealed.push_back(SealOne());
    if (day % 3 == 1) Restart();
  }
  for (size_t day = 0; day <= 10; ++day) {
    CAPTURE(day);
    const ErrorCode code = Refusal(sealed[day]);
    // Of the day before the last ones that are kept the key is still there, of earlier ones not.
    const size_t age = 10 - day;
    CHECK(code == (age <= 7   ? ErrorCode::kUnspecified
                   : age <= 9 ? ErrorCode::kExpired
                              : ErrorCode::kDenied));
  }
  CHECK(store->ticket_keys().keys().size() == 10);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets sealed at the end of a key's day open to their own end",
                 "[tickets]") {
  const std::string early = SealOne();
  now += kDay - std::chrono::seconds(1);
  const std::string late = SealOne();
  CHECK(early.substr(0, 9) == late.substr(0, 9));
  for (int day = 0; day < 7; ++day) {
    now += kDay;
    CHECK(SealOne().substr(0, 9) != late.substr(0, 9));
  }
  CHECK(Refusal(late) == ErrorCode::kUnspecified);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets open after a restart and with no other broker's keys",
                 "[tickets]") {
  const std::string sealed = SealOne();
  Restart();
  CHECK(Refusal(sealed) == ErrorCode::kUnspecified);
  CHECK(SealOne().substr(0, 9) == sealed.substr(0, 9));
  TicketsFixture other;
  CHECK(other.Refusal(sealed) == ErrorCode::kDenied);
  other.SealOne();
  CHECK(other.Refusal(sealed) == ErrorCode::kDenied);
  CHECK(Tickets().OpenChannel(sealed, now).status().code() == absl::StatusCode::kPermissionDenied);
}

TEST_CASE_METHOD(TicketsFixture,
                 "Tickets change their key when it has sealed its share, counted "
                 "over restarts",
                 "[tickets]") {
  SealOne();
  const store::TicketKey first = store->ticket_keys().keys().back();
  CHECK(first.seals > 0);
  REQUIRE(store->ticket_keys().SetSeals(first.id, Tickets::kMostSeals - 1).ok());
  Restart();
  SealOne();
  CHECK(store->ticket_keys().keys().back().id == first.id);
  CHECK(store->ticket_keys().keys().back().seals >= Tickets::kMostSeals);
  SealOne();
  CHECK(store->ticket_keys().keys().size() == 2);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets change a key that a wrong clock has made", "[tickets]") {
  now += kDay * 300;
  SealOne();
  now -= kDay * 300;
  SealOne();
  CHECK(store->ticket_keys().keys().size() == 2);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets of --insecure open at every such broker", "[tickets]") {
  const std::string sealed = Tickets().Seal(Channel(), now);
  CHECK(Tickets().OpenChannel(sealed, now).ok());
  CHECK_FALSE(Tickets().OpenSession(sealed, now).ok());
  CHECK(Refusal(sealed) == ErrorCode::kDenied);
}

TEST_CASE_METHOD(TicketsFixture, "Tickets remember killed channels over restarts", "[tickets]") {
  REQUIRE(tickets->Kill(5, now).ok());
  CHECK(tickets->IsKilled(5));
  CHECK_FALSE(tickets->IsKilled(6));
  Restart();
  CHECK(tickets->IsKilled(5));
  Tickets insecure;
  REQUIRE(insecure.Kill(5, now).ok());
  CHECK(insecure.IsKilled(5));
  CHECK_FALSE(insecure.IsKilled(6));
}

}  // namespace
}  // namespace culvert::broker
