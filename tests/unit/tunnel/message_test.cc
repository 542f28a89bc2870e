#include "tunnel/message.h"

#include "tests/support/catch.h"
#include "tests/unit/tunnel/one_end.h"

namespace culvert::tunnel::testing {
namespace {

TEST_CASE("A message of one byte is not free", "[message]") {
  CHECK(CostOf(SizedData(1, 1)) == 129);
  CHECK(CostOf(SizedData(1, 0)) == 128);
}

TEST_CASE("An end of stream costs nothing unless it brings more than the end of TLS", "[message]") {
  CHECK(CostOf(EndOf(1)) == 0);
  Data last = SizedData(1, kMaxFreeEndBytes);
  last.end_of_stream = true;
  CHECK(CostOf(last) == 0);
  last = SizedData(1, kMaxFreeEndBytes + 1);
  last.end_of_stream = true;
  CHECK(CostOf(last) == kMaxFreeEndBytes + 1 + 128);
}

TEST_CASE("The description of a message says all but its payload", "[message]") {
  Data data = DataOf(5, "secret");
  CHECK(DebugString(data) == "Data 5 (6 bytes)");
  data.end_of_stream = true;
  data.ack_required = true;
  CHECK(DebugString(data) == "Data 5 (6 bytes, end of stream, ack required)");
  CHECK(DebugString(Ack{6, std::nullopt}) == "Ack 6");
  CHECK(DebugString(Ack{6, 0}) == "Ack 6 (window 0)");
  CHECK(DebugString(Close{7}) == "Close 7");
  CHECK(DebugString(Error{8, "secret", ErrorCode::kReset}) == "Error 8 (connection reset)");
}

TEST_CASE("The text of an Error is cut to its limit between characters", "[message]") {
  CHECK(CutErrorText("short") == "short");
  CHECK(CutErrorText(std::string(kMaxErrorText, 'x')).size() == kMaxErrorText);
  CHECK(CutErrorText(std::string(kMaxErrorText + 1, 'x')).size() == kMaxErrorText);
  // A character of two bytes across the limit goes as a whole.
  const std::string before(kMaxErrorText - 1, 'x');
  CHECK(CutErrorText(before + "\xC3\xA9") == before);
  const std::string room(kMaxErrorText - 2, 'x');
  CHECK(CutErrorText(room + "\xC3\xA9" + "x") == room + "\xC3\xA9");
}

TEST_CASE("The text of an Error that is not UTF-8 at all is cut as well", "[message]") {
  CHECK(CutErrorText(std::string(2 * kMaxErrorText, '\x80')) == std::string(kMaxErrorText, '?'));
}

TEST_CASE("What is not UTF-8 in a text is replaced byte for byte", "[message]") {
  const auto row = GENERATE(table<std::string, std::string>({
      {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
      {"a\x80z", "a?z"},
      {"a\xC3z", "a?z"},
      {"a\xC3", "a?"},
      {"\xC0\x80", "??"},       // over-long
      {"\xE0\x80\x80", "???"},  // over-long
      {"\xF0\x80\x80\x80", "????"},
      {"\xED\xA0\x80", "???"},       // a surrogate
      {"\xF4\x90\x80\x80", "????"},  // above U+10FFFF
      {"\xF5", "?"},
      {"\xE2\x82z", "??z"},
  }));
  CHECK(CutErrorText(std::get<0>(row)) == std::get<1>(row));
}

}  // namespace
}  // namespace culvert::tunnel::testing
