#include "tests/unit/store/store_fixture.h"

namespace culvert::store {
namespace {

constexpr std::chrono::hours kDay{24};

TEST_CASE_METHOD(StoreFixture, "Store gives ticket keys back, the oldest first",
                 "[ticket_key_table]") {
  const std::string first(32, '\x00');
  const std::string second(32, '\xff');
  REQUIRE(store->ticket_keys().Add({7, first, now, 10}, now).ok());
  now += kDay;
  REQUIRE(store->ticket_keys().Add({3, second, now, 20}, now).ok());
  REQUIRE(store->ticket_keys().SetSeals(7, 30).ok());
  Reopen();
  const std::vector<TicketKey>& keys = store->ticket_keys().keys();
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].id == 7);
  CHECK(keys[0].key == first);
  CHECK(keys[0].created == now - kDay);
  CHECK(keys[0].seals == 30);
  CHECK(keys[1].id == 3);
  CHECK(keys[1].key == second);
}

TEST_CASE_METHOD(StoreFixture, "Store forgets a ticket key when nothing it sealed can be valid",
                 "[ticket_key_table]") {
  const std::string key(32, 'k');
  REQUIRE(store->ticket_keys().Add({1, key, now, 0}, now).ok());
  REQUIRE(store->ticket_keys().Add({2, key, now + kDay * 9, 0}, now + kDay * 9).ok());
  CHECK(store->ticket_keys().keys().size() == 2);
  now += kDay * 9 + std::chrono::seconds(1);
  REQUIRE(store->ticket_keys().Add({3, key, now, 0}, now).ok());
  REQUIRE(store->ticket_keys().keys().size() == 2);
  CHECK(store->ticket_keys().keys()[0].id == 2);
}

TEST_CASE_METHOD(StoreFixture, "Store adds no second ticket key of one id", "[ticket_key_table]") {
  REQUIRE(store->ticket_keys().Add({1, std::string(32, 'a'), now, 0}, now).ok());
  CHECK_FALSE(store->ticket_keys().Add({1, std::string(32, 'b'), now, 0}, now).ok());
  REQUIRE(store->ticket_keys().keys().size() == 1);
  CHECK(store->ticket_keys().keys()[0].key == std::string(32, 'a'));
}

TEST_CASE_METHOD(StoreFixture, "Store remembers a killed channel for as long as its tickets live",
                 "[killed_channel_table]") {
  constexpr uint64_t kId = 0x7fffffffffffffff;
  CHECK_FALSE(store->killed_channels().Has(kId));
  REQUIRE(store->killed_channels().Add(kId, now).ok());
  CHECK(store->killed_channels().Has(kId));
  CHECK_FALSE(store->killed_channels().Has(kId - 1));
  now += kDay * 7;
  Reopen();
  CHECK(store->killed_channels().Has(kId));
  now += kDay;
  Reopen();
  CHECK_FALSE(store->killed_channels().Has(kId));
}

TEST_CASE_METHOD(StoreFixture, "Store counts anew when a channel is killed again",
                 "[killed_channel_table]") {
  REQUIRE(store->killed_channels().Add(5, now).ok());
  now += kDay * 4;
  REQUIRE(store->killed_channels().Add(5, now).ok());
  now += kDay * 4;
  Reopen();
  CHECK(store->killed_channels().Has(5));
}

}  // namespace
}  // namespace culvert::store
