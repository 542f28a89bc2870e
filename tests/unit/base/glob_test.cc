#include "base/glob.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert {
namespace {

TEST_CASE("Glob matches the whole text", "[glob]") {
  const auto [pattern, text, matches] = GENERATE(table<std::string, std::string, bool>({
      {"", "", true},         {"", "a", false},           {"a", "a", true},
      {"a", "ab", false},     {"a", "", false},           {"*", "", true},
      {"*", "a.b", true},     {"**", "", true},           {"a*", "a", true},
      {"a*", "ba", false},    {"*a", "ba", true},         {"*a", "ab", false},
      {"a*c", "abcbc", true}, {"a*c", "abcb", false},     {"a*b*c", "a1b2b3c", true},
      {"?", "", false},       {"?", "a", true},           {"a?c", "abc", true},
      {"a?c", "ac", false},   {"*?", "", false},          {"*?", "a", true},
      {"?*?", "ab", true},    {"*ab", "aab", true},       {"*aab*", "aaaab", true},
      {"a*?b", "ab", false},  {"edge-*", "edge-1", true}, {"edge-*", "Edge-1", false},
      {"[a]", "a", false},    {"[a]", "[a]", true},
  }));
  CAPTURE(pattern, text);
  CHECK(GlobMatches(pattern, text) == matches);
}

TEST_CASE("Glob of many stars takes no more than its share of steps", "[glob]") {
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "*a";
  CHECK_FALSE(GlobMatches(pattern + "b", std::string(100000, 'a')));
}

TEST_CASE("Glob of names has the bytes of names", "[glob]") {
  CHECK(IsNameGlob("edge-*.lab_?"));
  CHECK(IsNameGlob(std::string(128, '*')));
  for (const std::string& text : {std::string(), std::string("a b"), std::string("[a]"),
                                  std::string("a/b"), std::string(129, '*')}) {
    CHECK_FALSE(IsNameGlob(text));
  }
}

}  // namespace
}  // namespace culvert
