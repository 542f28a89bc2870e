#include "broker/connection_table.h"

#include "tests/support/loopback.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;
using test::ConnectedPair;
using test::Fd;

const MonotonicTime kFirst = MonotonicTime(1h);

TEST_CASE("Connection table counts sockets until they are closed", "[connection_table]") {
  ConnectionTable table(/*limit_per_address=*/1, /*limit=*/0);
  auto [first, peer] = ConnectedPair();
  auto [second, second_peer] = ConnectedPair();
  CHECK(table.Admit("127.0.0.1", first.get(), kFirst).ok());
  CHECK(absl::IsResourceExhausted(table.Admit("127.0.0.1", second.get(), kFirst)));
  CHECK(table.Admit("127.0.0.2", second_peer.get(), kFirst).ok());
  first.Close();
  const MonotonicTime next = kFirst + ConnectionTable::kSweepInterval;
  CHECK(absl::IsResourceExhausted(table.Admit("127.0.0.1", second.get(), next - 1ms)));
  CHECK(table.Admit("127.0.0.1", second.get(), next).ok());
}

TEST_CASE("Connection table looks at all sockets at most once in its interval",
          "[connection_table]") {
  ConnectionTable table(/*limit_per_address=*/100, /*limit=*/1);
  auto [first, second] = ConnectedPair();
  auto [third, fourth] = ConnectedPair();
  REQUIRE(table.Admit("127.0.0.1", first.get(), kFirst).ok());
  REQUIRE(absl::IsResourceExhausted(table.Admit("127.0.0.1", second.get(), kFirst)));
  first.Close();
  const MonotonicTime next = kFirst + ConnectionTable::kSweepInterval;
  CHECK(absl::IsResourceExhausted(table.Admit("127.0.0.1", third.get(), next - 1ms)));
  CHECK(table.Admit("127.0.0.1", third.get(), next).ok());
}

}  // namespace
}  // namespace culvert::broker
