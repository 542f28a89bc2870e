#include "sdk/asked_brokers.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{1h};

TEST_CASE("AskedBrokers has a broker left until all have refused", "[resume]") {
  AskedBrokers asked;
  const std::vector<size_t> all = {0, 1};
  CHECK(asked.IsAnyLeft(all, kStart));
  asked.NoteRefused(1);
  CHECK(asked.IsAnyLeft(all, kStart + 1h));
  asked.NoteRefused(0);
  CHECK_FALSE(asked.IsAnyLeft(all, kStart));
}

TEST_CASE("AskedBrokers remembers a refusal whatever another broker does", "[resume]") {
  AskedBrokers asked;
  const std::vector<size_t> all = {0, 1, 2};
  asked.NoteRefused(0);
  asked.NoteUnreachable(1, kStart);
  asked.NoteAnswered(2);
  CHECK(asked.IsAnyLeft(all, kStart));
  asked.NoteRefused(2);
  asked.NoteRefused(1);
  CHECK_FALSE(asked.IsAnyLeft(all, kStart));
}

TEST_CASE("AskedBrokers waits for a minute for a broker that is not reached", "[resume]") {
  AskedBrokers asked;
  const std::vector<size_t> all = {0, 1};
  asked.NoteUnreachable(0, kStart);
  CHECK(asked.IsAnyLeft(all, kStart + 1h));  // nobody has refused
  asked.NoteRefused(1);
  CHECK(asked.IsAnyLeft(all, kStart + 59s));
  asked.NoteUnreachable(0, kStart + 59s);
  CHECK_FALSE(asked.IsAnyLeft(all, kStart + 60s));

  SECTION("that answers after all") { asked.NoteAnswered(0); }
  SECTION("while the other one thinks otherwise") { asked.NoteAnswered(1); }
  CHECK(asked.IsAnyLeft(all, kStart + 60s));
}

TEST_CASE("AskedBrokers keeps a refusal of a broker that is not reached any more", "[resume]") {
  AskedBrokers asked;
  const std::vector<size_t> all = {0};
  asked.NoteRefused(0);
  asked.NoteUnreachable(0, kStart);
  CHECK_FALSE(asked.IsAnyLeft(all, kStart));
}

TEST_CASE("AskedBrokers counts brokers that are listed only", "[resume]") {
  AskedBrokers asked;
  asked.NoteRefused(0);
  CHECK_FALSE(asked.IsAnyLeft({0}, kStart));
  CHECK(asked.IsAnyLeft({0, 4}, kStart));  // one that came meanwhile
  CHECK(asked.IsAnyLeft({4}, kStart));
  asked.NoteRefused(4);
  CHECK_FALSE(asked.IsAnyLeft({4}, kStart));
}

}  // namespace
}  // namespace culvert
