#include "resource/resource_name.h"

#include <random>
#include <set>
#include <string>

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert::resource {
namespace {

TEST_CASE("Names of resources are read in the wide form and made in the narrow one",
          "[resource_name]") {
  const auto [name, is_read, is_made] = GENERATE(table<std::string, bool, bool>({
      {"projects/ab", true, true},
      {"projects/a-1", true, true},
      {"projects/" + std::string(30, 'a'), true, true},
      {"projects/" + std::string(31, 'a'), true, false},
      {"projects/" + std::string(128, 'a'), true, false},
      {"projects/" + std::string(129, 'a'), false, false},
      {"projects/a", true, false},
      {"projects/-", true, false},
      {"projects/1a", true, false},
      {"projects/Ab", true, false},
      {"projects/a_b", true, false},
      {"projects/a.b", true, false},
      {"projects/ab-", true, false},
      {"projects/_", true, false},
      {"projects/-a", false, false},
      {"projects/.a", false, false},
      {"projects/", false, false},
      {"projects", false, false},
      {"", false, false},
      {"ab", false, false},
      {"Projects/ab", false, false},
      {"projects/a/b", false, false},
      {"projects/a b", false, false},
      {"projects/ab\n", false, false},
      {"projects/caf\xc3\xa9", false, false},
      {"regions/ab", false, false},
  }));
  CAPTURE(name);
  const auto read = ParseResourceName(name, kProjectKind);
  const auto made = ParseNewResourceName(name, kProjectKind);
  CHECK(read.ok() == is_read);
  CHECK(made.ok() == is_made);
  if (is_read) CHECK(*read == name.substr(9));
  if (is_made) CHECK(*made == *read);
}

TEST_CASE("A name that cannot be read is said as the public protocol says it", "[resource_name]") {
  const auto read = ParseResourceName("lab", kProjectKind);
  CHECK(absl::IsInvalidArgument(read.status()));
  CHECK(MessageOf(read.status()) == "unable to parse 'lab' as Project name");
  const auto made = ParseNewResourceName("projects/Lab", kProjectKind);
  CHECK(absl::IsInvalidArgument(made.status()));
  CHECK(MessageOf(made.status()) ==
        "'projects/Lab' cannot be the name of a new Project: behind projects/ come 2 to 30 of "
        "a-z, 0-9 and '-', a letter first and no '-' last");
}

TEST_CASE("DrawResourceId has the words of the display name first", "[resource_name]") {
  const auto [display_name, beginning] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"Lab", "lab-"},
      {"My 2nd  Lab!", "my-2nd-lab-"},
      {"42 is 7", "is-7-"},
      {"--", ""},
      {"\xc3\xa9t\xc3\xa9", "t-"},
      {"a very long name of a project indeed", "a-very-long-name-of-a-p-"},
      {"a very long name of a  project", "a-very-long-name-of-a-p-"},
      {"abcdefghijklmnopqrstuv wxyz", "abcdefghijklmnopqrstuv-"},
  }));
  std::mt19937_64 random(5);
  for (int i = 0; i < 200; ++i) {
    const std::string id = DrawResourceId(display_name, random());
    CAPTURE(id);
    REQUIRE(id.substr(0, id.size() - 6) == beginning);
    REQUIRE(ParseNewResourceName("projects/" + id, kProjectKind).ok());
    const std::string drawn = id.substr(id.size() - 6);
    REQUIRE(drawn.find_first_not_of("0123456789abcdefghijkmnopqrstuvwxyz") == std::string::npos);
    REQUIRE((drawn[0] >= 'a' && drawn[0] <= 'z'));
  }
}

TEST_CASE("DrawResourceId draws another id for another number", "[resource_name]") {
  std::set<std::string> ids;
  for (uint64_t random = 0; random < 10000; ++random) ids.insert(DrawResourceId("", random));
  CHECK(ids.size() == 10000);
  CHECK(DrawResourceId("", 0) == "aaaaaa");
  CHECK(DrawResourceId("", UINT64_MAX).size() == 6);
}

TEST_CASE("A pattern of names has an id or a dash in each second place", "[resource_name]") {
  for (const char* text : {"projects/a", "projects/-", "a/b/c/-", "a/-/c/d"}) {
    CAPTURE(text);
    CHECK(IsNamePattern(text));
  }
  for (const char* text : {"", "a", "-", "-/a", "a/", "/a", "a//b", "a/b/c", "a/b/", "a/b c"}) {
    CAPTURE(text);
    CHECK_FALSE(IsNamePattern(text));
  }
  CHECK(HasWildcard("a/-"));
  CHECK_FALSE(HasWildcard("a/b-"));
  CHECK(NameMatches("a/-/c/d", "a/x/c/d"));
  CHECK_FALSE(NameMatches("a/-/c/d", "a/x/c/e"));
  CHECK_FALSE(NameMatches("a/-", "a/x/c/d"));
  CHECK_FALSE(NameMatches("a/-/c/d", "a/x"));
}

}  // namespace
}  // namespace culvert::resource
