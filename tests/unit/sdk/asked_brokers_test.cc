#include "sdk/asked_brokers.h"

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{1h};

TEST_CASE("AskedBrokers has a broker left until all have refused", "[resume]") {
  AskedBrokers asked(2);
  CHECK(asked.IsAnyLeft(kStart));
  asked.NoteRefused(1);
  CHECK(asked.IsAnyLeft(kStart + 1h));
  asked.NoteRefused(0);
  CHECK_FALSE(asked.IsAnyLeft(kStart));
}

TEST_CASE("AskedBrokers remembers a refusal whatever another broker does", "[resume]") {
  AskedBrokers asked(3);
  asked.NoteRefused(0);
  asked.NoteUnreachable(1, kStart);
  asked.NoteAnswered(2);
  CHECK(asked.IsAnyLeft(kStart));
  asked.NoteRefused(2);
  asked.NoteRefused(1);
  CHECK_FALSE(asked.IsAnyLeft(kStart));
}

TEST_CASE("AskedBrokers waits for a minute for a broker that is not reached", "[resume]") {
  AskedBrokers asked(2);
  asked.NoteUnreachable(0, kStart);
  CHECK(asked.IsAnyLeft(kStart + 1h));  // nobody has refused
  asked.NoteRefused(1);
  CHECK(asked.IsAnyLeft(kStart + 59s));
  asked.NoteUnreachable(0, kStart + 59s);
  CHECK_FALSE(asked.IsAnyLeft(kStart + 60s));

  SECTION("that answers after all") { asked.NoteAnswered(0); }
  SECTION("while the other one thinks otherwise") { asked.NoteAnswered(1); }
  CHECK(asked.IsAnyLeft(kStart + 60s));
}

TEST_CASE("AskedBrokers keeps a refusal of a broker that is not reached any more", "[resume]") {
  AskedBrokers asked(1);
  asked.NoteRefused(0);
  asked.NoteUnreachable(0, kStart);
  CHECK_FALSE(asked.IsAnyLeft(kStart));
}

}  // namespace
}  // namespace culvert
