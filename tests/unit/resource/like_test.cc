#include "resource/like.h"

#include <random>
#include <string>

#include "tests/support/catch.h"

namespace culvert::resource {
namespace {

TEST_CASE("LikeMatches compares the whole text", "[like]") {
  const auto [pattern, text, matches] = GENERATE(table<std::string, std::string, bool>({
      {"", "", true},          {"", "a", false},          {"a", "a", true},
      {"a", "A", false},       {"a", "ab", false},        {"%", "", true},
      {"%%", "abc", true},     {"a%", "abc", true},       {"a%", "ba", false},
      {"%c", "abc", true},     {"%b%", "abc", true},      {"%d%", "abc", false},
      {"_", "", false},        {"_", "a", true},          {"_", "ab", false},
      {"_", "\xc3\xa9", true}, {"__", "\xc3\xa9", false}, {"%_", "\xe2\x82\xac", true},
      {"a_c", "abc", true},    {"a%c%e", "abcde", true},  {"a%c%e", "abcd", false},
      {"\\%", "%", true},      {"\\%", "a", false},       {"\\_", "_", true},
      {"\\_", "a", false},     {"\\\\", "\\", true},      {"%\\%%", "50% off", true},
      {"%\\%%", "50", false},  {"*", "a", false},         {"?", "a", false},
      {"%ab", "aab", true},    {"%aab%", "aaaab", true},  {"a%_b", "ab", false},
  }));
  CAPTURE(pattern, text);
  REQUIRE(CheckLikePattern(pattern).ok());
  CHECK(LikeMatches(pattern, text) == matches);
}

size_t Bytes(const std::string& text) {
  size_t bytes = 1;
  while (bytes < text.size() && (text[bytes] & 0xc0) == 0x80) ++bytes;
  return bytes;
}

bool NaiveMatches(const std::string& pattern, const std::string& text) {
  if (pattern.empty()) return text.empty();
  const std::string rest = pattern.substr(1);
  if (pattern[0] == '%') {
    return NaiveMatches(rest, text) ||
           (!text.empty() && NaiveMatches(pattern, text.substr(Bytes(text))));
  }
  if (text.empty()) return false;
  if (pattern[0] == '_') return NaiveMatches(rest, text.substr(Bytes(text)));
  if (pattern[0] == '\\') return rest[0] == text[0] && NaiveMatches(rest.substr(1), text.substr(1));
  return pattern[0] == text[0] && NaiveMatches(rest, text.substr(1));
}

TEST_CASE("LikeMatches finds what a matcher that tries everything finds", "[like]") {
  std::mt19937 random(1);
  const auto make = [&random](std::initializer_list<const char*> of, unsigned most) {
    std::string text;
    for (auto size = random() % (most + 1); size > 0; --size) {
      text += of.begin()[random() % of.size()];
    }
    return text;
  };
  int matching = 0;
  for (int i = 0; i < 50000; ++i) {
    const std::string pattern =
        make({"a", "b", "%", "%", "_", "\\%", "\\_", "\\\\", "\xc3\xa9", "\xc3\xa8"}, 6);
    const std::string text = make({"a", "b", "%", "_", "\\", "\xc3\xa9", "\xc3\xa8"}, 6);
    CAPTURE(pattern, text);
    const bool wanted = NaiveMatches(pattern, text);
    matching += wanted ? 1 : 0;
    REQUIRE(LikeMatches(pattern, text) == wanted);
    if (i % 100 != 0) continue;
    // The same behind a long text, which is matched in another way.
    const std::string filler(70'000, 'c');
    REQUIRE(LikeMatches("%#" + pattern, filler + "#" + text) == wanted);
  }
  CHECK(matching > 2000);
}

TEST_CASE("LikeMatches takes no more than its share of steps", "[like]") {
  std::string pattern;
  for (int i = 0; i < 120; ++i) pattern += "%a";
  CHECK_FALSE(LikeMatches(pattern + "b", std::string(100000, 'a')));
}

TEST_CASE("A pattern has a backslash only before what it escapes", "[like]") {
  for (const std::string& pattern : {std::string("\\"), std::string("a\\"), std::string("\\a"),
                                     std::string("\\\\\\"), std::string(257, 'a')}) {
    CHECK(absl::IsInvalidArgument(CheckLikePattern(pattern)));
  }
  CHECK(CheckLikePattern(std::string(256, 'a')).ok());
}

}  // namespace
}  // namespace culvert::resource
