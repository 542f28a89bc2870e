#include "forwarder/documents.h"

#include <string>
#include <tuple>
#include <vector>

#include "forwarder/yaml_writer.h"
#include "tests/support/catch.h"

namespace culvert::forwarder {
namespace {

// In one line each.
std::vector<std::string> Lines(const absl::StatusOr<std::vector<JsonValue>>& documents) {
  if (!documents.ok()) return {std::string(documents.status().message())};
  std::vector<std::string> lines;
  for (const JsonValue& document : *documents) lines.push_back(document.dump());
  return lines;
}

std::vector<std::string> Read(const std::string& text) { return Lines(ReadDocuments(text, "f")); }

TEST_CASE("A file holds projects in JSON or YAML, one or more", "[documents]") {
  using Row = std::tuple<std::string, std::vector<std::string>>;
  const std::string one = R"({"name":"a"})";
  const std::string two = R"({"name":"b"})";
  const auto [text, expected] = GENERATE_COPY(table<std::string, std::vector<std::string>>({
      Row{"name: a\n", {one}},
      Row{"# why\n---\nname: a\n---\n---\nname: b\n...\n", {one, two}},
      Row{"- name: a\n- name: b\n", {one, two}},
      Row{"{name: a}", {one}},
      Row{R"({"name": "a"})", {one}},
      Row{"\xef\xbb\xbfname: a", {one}},
      Row{" [ {\"name\": \"a\"},\n\t{\"name\": \"b\"} ]\n", {one, two}},
      Row{"{\"name\": \"a\"}\n{\"name\": \"b\"}\n", {one, two}},
      Row{R"({"name": "a"}{"name": "b"})", {one, two}},
      Row{R"({"a]}\"": "\ud83d\ude00\/"})", {"{\"a]}\\\"\":\"\xf0\x9f\x98\x80/\"}"}},
  }));
  CAPTURE(text);
  CHECK(Read(text) == expected);
}

TEST_CASE("A plain YAML scalar has the type of the core schema, a quoted one is text",
          "[documents]") {
  using Row = std::tuple<std::string, std::string>;
  const auto [scalar, expected] = GENERATE(table<std::string, std::string>({
      Row{"true", "true"},
      Row{"False", "false"},
      Row{"~", "null"},
      Row{"", "null"},
      Row{"null", "null"},
      Row{"12", "12"},
      Row{"-7", "-7"},
      Row{"+7", "7"},
      Row{"0x1F", "31"},
      Row{"0o17", "15"},
      Row{"1.5", "1.5"},
      Row{"1e3", "1000.0"},
      Row{"18446744073709551615", "18446744073709551615"},
      Row{"yes", R"("yes")"},
      Row{"off", R"("off")"},
      Row{"1.10.0", R"("1.10.0")"},
      Row{"0xZZ", R"("0xZZ")"},
      Row{"1_000", R"("1_000")"},
      Row{"nan", R"("nan")"},
      Row{".inf", R"(".inf")"},
      Row{".", R"(".")"},
      Row{"1e", R"("1e")"},
      Row{"-", "[null]"},
      Row{"2026-01-31T08:00:00Z", R"("2026-01-31T08:00:00Z")"},
      Row{"'12'", R"("12")"},
      Row{R"("true")", R"("true")"},
      Row{"!!str 12", R"("12")"},
      Row{"'null'", R"("null")"},
      Row{"\"\\u263a\"", "\"\xe2\x98\xba\""},
      Row{"|\n  two\n  lines\n", R"("two\nlines\n")"},
  }));
  CAPTURE(scalar);
  CHECK(Read("v:\n  " + scalar) == std::vector<std::string>{"{\"v\":" + expected + "}"});
}

TEST_CASE("A key is text, whatever it looks like", "[documents]") {
  CHECK(Read("1.10: a\ntrue: b\n'': c\n") ==
        std::vector<std::string>{R"({"":"c","1.10":"a","true":"b"})"});
}

TEST_CASE("A mistake in a file is told with its line and column", "[documents]") {
  using Row = std::tuple<std::string, std::string>;
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      Row{"name: a\n  x: y\n", "f:2:4: illegal map value"},
      Row{"name: a\nname: b\n", "f:2:1: a key that is there already"},
      Row{"name: &n a\nmetadata: *n\n", "f:2:11: aliases (*name) are not taken"},
      Row{"name: !mine a\n", "f:1:7: tags are not taken"},
      Row{"? [a]\n: b\n", "f:1:3: a key must be text"},
      Row{"? ~\n: b\n", "f:1:3: a key must be text"},
      Row{"{\"name\": \"a\"}\n{\"name\" \"b\"}",
          "f:2:11: syntax error while parsing object separator - unexpected string literal; "
          "expected ':'"},
      Row{"{\"a\": 1,\n \"a\": 2 \"b\"}", "f:1:1: a key that is there already"},
      Row{", a", "f:1:1: unexpected token"},
      Row{"name: a\nb: \xc3(", "f:2:4: not UTF-8"},
      Row{"name: \xed\xa0\x80", "f:1:7: not UTF-8"},
      Row{"name: \xe2\x98", "f:1:7: not UTF-8"},
      Row{"{\"name\": \"\xff\"}", "f:1:11: not UTF-8"},
      Row{"", "f has nothing in it"},
      Row{"---\n---\n", "f has nothing in it"},
      Row{"5", "f: number 1 is not an object"},
      Row{"[{}, []]", "f: number 2 is not an object"},
      Row{"{} 5", "f: number 2 is not an object"},
  }));
  CAPTURE(text);
  CHECK(Read(text) == std::vector<std::string>{expected});
}

TEST_CASE("Nesting that no project has is refused, however deep it is", "[documents]") {
  const size_t depth = GENERATE(size_t{33}, size_t{100'000});
  CHECK(Read(std::string(depth, '[')).front().find("nested too deep") != std::string::npos);
  CHECK(Read("a: " + std::string(depth, '[') + std::string(depth, ']'))
            .front()
            .find("nested too deep") != std::string::npos);
  std::string json;
  for (size_t i = 0; i < depth; ++i) json += "{\"a\":";
  CHECK(Read(json).front().find("nested too deep") != std::string::npos);
}

TEST_CASE("YAML has a limit in bytes", "[documents]") {
  const std::string text = "a: " + std::string(kMostYamlBytes, 'x');
  CHECK(Read(text).front() == "f has more than 1048576 bytes of YAML: split it");
}

TEST_CASE("What is written as YAML is read back the same", "[documents]") {
  JsonValue value;
  for (const char* text : {"",
                           "plain",
                           "a b",
                           "true",
                           "No",
                           "null",
                           "~",
                           "12",
                           "1.10",
                           "0x1f",
                           "1e3",
                           ".5",
                           "-",
                           "--",
                           "- a",
                           "? a",
                           "a: b",
                           "a #b",
                           "#a",
                           "&a",
                           "*a",
                           "!a",
                           "|",
                           ">",
                           "%a",
                           "@a",
                           "`a",
                           "'",
                           "\"",
                           "\\",
                           "[a]",
                           "{a}",
                           ",",
                           " a",
                           "a ",
                           "\t",
                           "two\nlines",
                           "\r",
                           "\x01\x1b[31m",
                           "\x7f",
                           "\xc2\x85",
                           "\xc2\x9b",
                           "\xe2\x80\xa8",
                           "\xef\xbb\xbf",
                           "\xf0\x9f\x98\x80",
                           "---",
                           "...",
                           "<<",
                           "=",
                           "2026-01-31",
                           "12:30:45",
                           "y",
                           "0o17",
                           "+1",
                           "a/b@c.d-e_f"}) {
    value["values"].push_back(text);
    value["keys"][text] = text;
  }
  value["keys"][std::string(3000, 'k')] = "long";
  value["empty"] = {{"array", JsonValue::array()}, {"object", JsonValue::object()}};
  value["types"] = {true, false, nullptr, 12, -7, 1.5};
  value["nested"] = {{{"a", {1, 2}}}, {{"b", {{"c", "d"}}}}};
  const std::string text = WriteYaml(value);
  CAPTURE(text);
  const auto read = ReadDocuments(text, "f");
  REQUIRE(Lines(read) == std::vector<std::string>{value.dump()});
}

TEST_CASE("YAML is in blocks, and has quotes only where they are needed", "[documents]") {
  const JsonValue value = {{"name", "projects/lab"},
                           {"labels", {{"env", "prod"}, {"on", "1"}}},
                           {"regions", {"east", "west"}},
                           {"policy", JsonValue::object()}};
  CHECK(WriteYaml(value) ==
        "labels:\n  env: prod\n  \"on\": \"1\"\n"
        "name: projects/lab\npolicy: {}\nregions:\n  - east\n  - west\n");
}

TEST_CASE("JSON and YAML have nothing that a terminal obeys", "[documents]") {
  const JsonValue value = "\x1b[2J \x7f \xc2\x9b \xe2\x80\xa8";
  CHECK(WriteJson(value, -1) == R"("\u001b[2J \u007f \u009b \u2028")");
  CHECK(WriteYaml(value) == "\"\\u001b[2J \\u007f \\u009b \\u2028\"\n");
}

}  // namespace
}  // namespace culvert::forwarder
