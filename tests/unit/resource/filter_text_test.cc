#include <random>
#include <string>

#include "resource/filter.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

TEST_CASE("Filter has one spelling", "[filter]") {
  const auto [text, spelling] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"()", ""},
      {"((metadata\\.createTime==null))", "metadata.create_time IS NULL"},
      {"METADATA.GENERATION!=NULL", "metadata.generation IS NOT NULL"},
      {"metadata.generation=+3.0", "metadata.generation = 3"},
      {"metadata.generation<2.50", "metadata.generation < 2.5"},
      {"metadata.generation<1e300", "metadata.generation < 1e+300"},
      {"metadata.generation<9223372036854775808", "metadata.generation < 9.223372036854776e+18"},
      {"metadata.generation is nan", "metadata.generation IS NAN"},
      {"metadata.lifecycle.state = \"DELETING\"", "metadata.lifecycle.state = 2"},
      {"metadata.lifecycle.block-deletion = true", "metadata.lifecycle.block_deletion = TRUE"},
      {"metadata.createTime > \"2026-01-31T10:00:00.50+02:00\"",
       "metadata.create_time > \"2026-01-31T08:00:00.5Z\""},
      {"metadata.createTime > \"0001-01-01T00:00:00Z\"",
       "metadata.create_time > \"0001-01-01T00:00:00Z\""},
      {"metadata.uuid=\"\\u0041\\t\\x01\\\"\\\\\"", "metadata.uuid = \"A\\t\\x01\\\"\\\\\""},
      {"metadata.generation not in [1,2]", "metadata.generation NOT IN (1, 2)"},
      {"metadata.tags has \"a\"", "metadata.tags CONTAINS \"a\""},
      {"metadata.tags have any [\"a\",\"b\"]", "metadata.tags CONTAINS ANY (\"a\", \"b\")"},
      {"name like \"a%\"", "name LIKE \"a%\""},
      {"metadata.labels={\"a\"\"b\"\"c\":\"d\"}", "metadata.labels = {\"a\": \"b\", \"c\": \"d\"}"},
      {"metadata.lifecycle={\"blockDeletion\":null,\"state\":1.0}",
       "metadata.lifecycle = {\"blockDeletion\": NULL, \"state\": 1}"},
      {"metadata.uuid=\"a\" metadata.uuid=\"b\"+metadata.uuid=\"c\"|metadata.uuid=\"d\"",
       "metadata.uuid = \"a\" AND metadata.uuid = \"b\" AND metadata.uuid = \"c\" OR "
       "metadata.uuid = \"d\""},
      {"(metadata.uuid=\"a\"|metadata.uuid=\"b\")metadata.uuid=\"c\"",
       "(metadata.uuid = \"a\" OR metadata.uuid = \"b\") AND metadata.uuid = \"c\""},
      {"((metadata.uuid=\"a\" metadata.uuid=\"b\") metadata.uuid=\"c\")",
       "metadata.uuid = \"a\" AND metadata.uuid = \"b\" AND metadata.uuid = \"c\""},
      {"not(not(metadata.uuid=\"a\" metadata.uuid=\"b\"))",
       "NOT NOT (metadata.uuid = \"a\" AND metadata.uuid = \"b\")"},
  }));
  const auto filter = Filter::Parse(text, ProjectType());
  CAPTURE(text, filter.status().ToString());
  REQUIRE(filter.ok());
  CHECK(filter->ToString() == spelling);
  const auto again = Filter::Parse(spelling, ProjectType());
  REQUIRE(again.ok());
  CHECK(again->ToString() == spelling);
  CHECK(*again == *filter);
}

TEST_CASE("Filters that differ are not equal", "[filter]") {
  const auto parse = [](const std::string& text) { return *Filter::Parse(text, ProjectType()); };
  const Filter filter = parse("metadata.generation = 1");
  CHECK(filter == parse("(metadata.generation == 1.0)"));
  for (const std::string other :
       {"metadata.generation = 2", "metadata.generation != 1", "metadata.shards.a = 1", "",
        "NOT metadata.generation = 1", "metadata.generation IN (1)"}) {
    CHECK_FALSE(filter == parse(other));
  }
  CHECK_FALSE(parse(R"(metadata.labels = {"a": "b"})") == parse(R"(metadata.labels = {"a": "c"})"));
}

class RandomFilter {
 public:
  explicit RandomFilter(unsigned seed) : random_(seed) {}

  std::string Or(int depth) {
    std::string text = And(depth);
    for (unsigned more = Draw(3); more > 0; --more)
      text += Pick({" OR ", "|", " or "}) + And(depth);
    return text;
  }

 private:
  unsigned Draw(unsigned choices) { return static_cast<unsigned>(random_()) % choices; }
  std::string Pick(std::initializer_list<const char*> of) {
    return of.begin()[Draw(static_cast<unsigned>(of.size()))];
  }
  std::string And(int depth) {
    std::string text = Condition(depth);
    for (unsigned more = Draw(3); more > 0; --more) {
      text += Pick({" AND ", " + ", " "}) + Condition(depth);
    }
    return text;
  }
  std::string Condition(int depth) {
    const unsigned kind = Draw(6);
    if (depth > 0 && kind == 0) return "(" + Or(depth - 1) + ")";
    if (depth > 0 && kind == 1) return "NOT " + Condition(depth - 1);
    return Pick({"metadata.uuid = \"\\\"\\\\\\n\\x7f\\u20ac\"",
                 "metadata.generation IN (1, 2.5, -3)", "metadata.labels.env NOT IN [\"a\"]",
                 "metadata.createTime IS NOT NULL",
                 "metadata.update-time <= \"2026-01-31T08:00:00.123456789-07:30\"",
                 "metadata.labels = {\"a\" \"\\t\", \"b\": \"\"}", "metadata.tags HAS \"x\"",
                 "multiRegionPolicy != {\"enabledRegions\": NULL}", "name LIKE \"%\\\\_%\"",
                 "metadata.tags CONTAINS ALL (\"x\", \"y\")", "metadata.labels.a.b/c-d != \"\"",
                 "metadata.lifecycle.state >= \"ACTIVE\"", "metadata.generation > 1.0000001e-7",
                 "metadata.generation IS NOT NAN", "name != \"projects/-\"",
                 "metadata.labels HAVE VALUE {\"env\": \"a\"}"});
  }

  std::mt19937 random_;
};

TEST_CASE("Filter parses from what it is written as", "[filter]") {
  std::mt19937 random(7);
  for (unsigned seed = 0; seed < 500; ++seed) {
    const std::string text = RandomFilter(seed).Or(3);
    const auto filter = Filter::Parse(text, ProjectType());
    CAPTURE(text, filter.status().ToString());
    REQUIRE(filter.ok());
    const auto again = Filter::Parse(filter->ToString(), ProjectType());
    CAPTURE(filter->ToString(), again.status().ToString());
    REQUIRE(again.ok());
    REQUIRE(*again == *filter);
    REQUIRE(again->ToString() == filter->ToString());
    for (int i = 0; i < 5; ++i) {
      const Project project = RandomProject(&random);
      REQUIRE(again->Matches(project) == filter->Matches(project));
    }
  }
}

}  // namespace
}  // namespace culvert::resource
