#include <string>

#include "base/status.h"
#include "resource/filter.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

TEST_CASE("Filter says in one line what it does not understand, and where", "[filter]") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"(", "column 2: a condition expected at the end"},
      {")", "column 1: a condition expected, not ')'"},
      {"() ()", "column 4: nothing expected, not '('"},
      {"metadata.generation = 3 AND ()", "column 30: a condition expected, not ')'"},
      {"(metadata.generation = 3", "column 25: AND, OR or ')' expected at the end"},
      {"metadata.generation = 3)", "column 24: AND, OR or the end expected, not ')'"},
      {"metadata.generation", "column 20: =, !=, <, <=, >, >=, IS, [NOT] IN, CONTAINS or LIKE"},
      {"metadata.generation 3", "column 21: =, !="},
      {"metadata.generation =", "column 22: a value expected at the end"},
      {"metadata.generation = = 3", "column 23: a value expected, not '='"},
      {"metadata.generation =! 3", "column 21: one of = == != < <= > >= expected, not '=!'"},
      {"metadata.generation => 3", "column 21: one of"},
      {"metadata.generation <> 3", "column 21: one of"},
      {"metadata.generation = 3 AND", "column 28: a condition expected at the end"},
      {"metadata.generation = 3 OR", "column 27: a condition expected at the end"},
      {"OR metadata.generation = 3", "field path 'OR'"},
      {"AND metadata.generation = 3", "field path 'AND'"},
      {"NOT", "column 4: a condition expected at the end"},
      {"3 = metadata.generation", "column 1: a condition expected, not '3'"},
      {"\"x\" = 3", "column 1: a condition expected, not 'x'"},
      {"metadata.generation = 3 & name = \"a/b\"", "column 25: AND, OR or the end expected"},
      {"metadata.generation = 3; name = \"a/b\"", "column 24: AND, OR or the end expected"},
      {"metadata.generation = three", "a value (strings are in double quotes) expected"},
      {"name = 'projects/x'", "column 8: a value expected, not '''"},
      // Numbers.
      {"metadata.generation = 1.2.3", "column 23: not a number"},
      {"metadata.generation = .", "column 23: not a number"},
      {"metadata.generation = 1e999", "column 23: a number beyond"},
      {"metadata.generation = 1e", "column 24"},
      {"metadata.generation = - 1", "column 23: a value expected, not '-'"},
      {"metadata.generation = 0x10", "column 24"},
      // Strings.
      {"metadata.uuid = \"x", "column 17: the string that begins here lacks its closing quote"},
      {"metadata.uuid = \"x\\\"", "column 17: the string that begins here"},
      {"metadata.uuid = \"\\", "column 18: no such escape"},
      {"metadata.uuid = \"\\q\"", "column 18: no such escape"},
      {"metadata.uuid = \"\\x4\"", "column 18: no such escape"},
      {"metadata.uuid = \"\\xe9\"", "column 18: no such escape"},
      {"metadata.uuid = \"\\ud800\"", "column 18: no such escape"},
      {"metadata.uuid = \"\\U00110000\"", "column 18: no such escape"},
      {"metadata.uuid = \"\\Uffffffff\"", "column 18: no such escape"},
      {"metadata.uuid = \"a\nb\"", "column 19: a string is UTF-8"},
      {"metadata.uuid = \"\xff\"", "column 18: a string is UTF-8"},
      {"metadata.uuid = \"\xc3\"", "column 18: a string is UTF-8"},
      {"metadata.uuid = \"\xed\xa0\x80\"", "column 18: a string is UTF-8"},
      {"metadata.uuid = \"\xc0\x80\"", "column 18: a string is UTF-8"},
      // Paths.
      {"nothing = 3", "column 1: field path 'nothing': ntt.proxies.v1.Project has no field"},
      {"metadata.nothing = 3", "goten.types.Meta has no field 'nothing'"},
      {"metadata.cre_ate_time IS NULL", "has no field 'cre_ate_time'"},
      {"metadata..uuid = \"x\"", "column 9: =, !="},
      {"metadata. = 3", "column 9"},
      {".metadata = 3", "column 1: a condition expected"},
      {"metadata.tags.x = \"x\"", "'metadata.tags' has no parts"},
      {"metadata.owner_references.name = \"x\"", "'metadata.owner_references' has no parts"},
      {"metadata.create_time.seconds = 3", "'metadata.create_time' has no parts"},
      {"metadata.uuid.x = \"x\"", "'metadata.uuid' has no parts"},
      // Values of another type.
      {"metadata.uuid = 3", "metadata.uuid is compared with a string, in double quotes"},
      {"metadata.uuid = TRUE", "is compared with a string"},
      {"metadata.uuid = {\"a\": 1}", "is compared with a string"},
      {"metadata.generation = \"3\"", "is compared with a number, without quotes"},
      {"metadata.generation IN (1, \"3\")", "column 28: metadata.generation is compared"},
      {"metadata.lifecycle.state = \"active\"", "is compared with the name of one of its values"},
      {"metadata.lifecycle.state = 1.5", "is compared with the name of one of its values"},
      {"metadata.lifecycle.block_deletion = 1", "is compared with TRUE or FALSE"},
      {"metadata.create_time > \"yesterday\"", "column 24: metadata.create_time is compared with"},
      {"metadata.create_time > \"2026-01-31\"", "a time such as"},
      {"metadata.create_time > \"2026-01-31 08:00:00Z\"", "a time such as"},
      {"metadata.create_time > \"2026-01-31T08:00:00\"", "a time such as"},
      {"metadata.create_time > \"2026-1-31T08:00:00Z\"", "a time such as"},
      {"metadata.create_time > \"2026-02-30T08:00:00Z\"", "a time such as"},
      {"metadata.create_time > \"2026-01-31T08:00:00.Z\"", "a time such as"},
      {"metadata.create_time > \" 2026-01-31T08:00:00Z\"", "a time such as"},
      {"metadata.create_time > \"2026-01-31T08:00:00+0200\"", "a time such as"},
      {"metadata.create_time > \"2026-01-31T08:00:00Z \"", "a time such as"},
      {"metadata.create_time > \"infinite-future\"", "a time such as"},
      {"metadata.create_time > 1769846400", "a time such as"},
      {"name = \"lab-1\"", "column 8: unable to parse 'lab-1' as Project name"},
      {"name = \"projects/\"", "unable to parse 'projects/' as Project name"},
      {"name = \"-/lab\"", "unable to parse '-/lab' as Project name"},
      {"name IN (\"projects/a b\")", "unable to parse 'projects/a b' as Project name"},
      // NULL.
      {"metadata.generation < NULL", "NULL stands only behind = and !="},
      {"metadata.generation >= NULL", "NULL stands only behind = and !="},
      {"metadata.generation IN (NULL)", "NULL stands only behind = and !="},
      {"metadata.tags CONTAINS NULL", "NULL stands only behind = and !="},
      {"metadata.labels = {\"a\": NULL}", "NULL stands only behind = and !="},
      {"metadata.uuid IS 3", "column 18: NULL or NAN expected, not '3'"},
      {"metadata.uuid IS NOT", "column 21: NULL or NAN expected at the end"},
      // What a path of that type cannot be asked.
      {"metadata < {}", "column 1: metadata has parts and no order"},
      {"metadata.labels >= {}", "has parts and no order"},
      {"metadata < 3", "has parts and no order"},
      {"metadata = 3", "is compared with an object"},
      {"metadata.labels = \"env\"", "is compared with an object"},
      {"metadata.tags = \"red\"", "is a list: ask what it CONTAINS"},
      {"metadata.tags IN (\"red\")", "is a list: ask what it CONTAINS"},
      {"metadata.uuid CONTAINS \"u\"", "is neither a list nor a map"},
      {"metadata.generation LIKE \"3\"", "is no string, which LIKE asks for"},
      {"metadata.tags LIKE \"r%\"", "is no string, which LIKE asks for"},
      {"metadata.tags CONTAINS 3", "is compared with a string"},
      {"metadata.tags CONTAINS ANY \"red\"", "a list in parentheses expected"},
      {"metadata.labels CONTAINS 3", "is compared with an object"},
      {"metadata.owner_references CONTAINS \"Org\"", "is compared with an object"},
      // Lists, patterns, objects.
      {"metadata.generation IN ()", "a value expected, not ')'"},
      {"metadata.generation IN (1,)", "a value expected, not ')'"},
      {"metadata.generation IN (1 2)", "',' or ')' expected, not '2'"},
      {"metadata.generation IN (1]", "',' or ')' expected, not ']'"},
      {"metadata.generation IN [1)", "',' or ']' expected, not ')'"},
      {"metadata.generation IN 1", "a list in parentheses expected"},
      {"metadata.generation NOT 1", "=, !="},
      {"name LIKE 3", "a pattern in double quotes expected"},
      {"name LIKE projects", "a pattern in double quotes expected"},
      {"name LIKE \"a\\\\b\"", "column 11: in a pattern, a backslash stands in front of"},
      {"name LIKE \"a\\\\\"", "column 11: in a pattern, a backslash stands in front of"},
      {"metadata.labels = {\"a\"}", "a value expected, not '}'"},
      {"metadata.labels = {\"a\": \"b\"", "expected at the end"},
      {"metadata.labels = {a: \"b\"}", "strings are in double quotes"},
      {"metadata.labels = {1: \"b\"}", "a key of an object is a string"},
      {"metadata.labels = {\"a\": \"b\", \"a\": \"b\"}",
       "column 30: the object has this key twice"},
      {"metadata.labels = {\"a\": 1}", "is compared with a string"},
      {"metadata.lifecycle = {\"colour\": 1}",
       "is compared with the JSON of a goten.types.Lifecycle"},
      {"metadata.lifecycle = {\"state\": {1: 2}}", "a key of an object is a string"},
  }));
  const auto filter = Filter::Parse(text, ProjectType());
  CAPTURE(text, filter.status().ToString());
  REQUIRE(absl::IsInvalidArgument(filter.status()));
  const std::string found(MessageOf(filter.status()));
  CHECK(found.find(message) != std::string::npos);
  CHECK(found.substr(0, 15) == "filter, column ");
  CHECK(found.find('\n') == std::string::npos);
}

std::string Repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST_CASE("Filter has limits", "[filter]") {
  const auto parse = [](const std::string& text) { return Filter::Parse(text, ProjectType()); };
  const auto says = [&parse](const std::string& text, const std::string& message) {
    const auto filter = parse(text);
    CAPTURE(filter.status().ToString());
    CHECK(absl::IsInvalidArgument(filter.status()));
    CHECK(std::string(MessageOf(filter.status())).find(message) != std::string::npos);
  };
  const std::string condition = "name=\"a/b\"";

  SECTION("of bytes") {
    CHECK(parse(condition + std::string(Filter::kMostBytes - condition.size(), ' ')).ok());
    says(condition + std::string(Filter::kMostBytes - condition.size() + 1, ' '), "8192 bytes");
    // One byte for each OR, which is four when written out.
    says(Repeated("metadata=null|", 412) + condition, "8192 bytes once written out in full");
  }
  SECTION("of depth") {
    CHECK(parse(Repeated("(", 32) + condition + Repeated(")", 32)).ok());
    says(Repeated("(", 33) + condition + Repeated(")", 33), "column 34: nested more than 32 deep");
    CHECK(parse(Repeated("NOT ", 32) + condition).ok());
    says(Repeated("NOT ", 33) + condition, "nested more than 32 deep");
    says(Repeated("NOT (", 17) + condition + Repeated(")", 17), "nested more than 32 deep");
    says("metadata = " + Repeated("{\"a\":", 33) + "1" + Repeated("}", 33), "nested more than");
    says(Repeated("(", 8000), "nested more than 32 deep");
    // What is closed does not count.
    CHECK(parse(Repeated("(" + condition + ")", 100)).ok());
    CHECK(parse(Repeated("NOT " + condition + " ", 100)).ok());
    CHECK(parse(Repeated("metadata.labels = {} ", 100)).ok());
  }
  SECTION("of nodes") {
    CHECK(parse(Repeated("name>\"\" ", 500)).ok());
    says(Repeated("name>\"\" ", 501), "more than 1000 conditions and values");
  }
  SECTION("of lists") {
    CHECK(parse("metadata.generation IN (" + Repeated("1,", 99) + "1)").ok());
    says("metadata.generation IN (" + Repeated("1,", 100) + "1)", "more than 100 values in a list");
    says("metadata.tags CONTAINS ANY (" + Repeated("1,", 100) + "1)", "more than 100 values");
  }
  SECTION("of patterns") {
    CHECK(parse("name LIKE \"" + std::string(256, 'a') + "\"").ok());
    says("name LIKE \"" + std::string(257, 'a') + "\"", "at most 256 bytes");
  }
  SECTION("of paths") {
    CHECK(parse("metadata.labels." + std::string(1000, 'k') + " IS NULL").ok());
    says("metadata.labels." + std::string(1010, 'k') + " IS NULL", "longer than 1024 bytes");
  }
}

}  // namespace
}  // namespace culvert::resource
