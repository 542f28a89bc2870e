#include "config/config_file.h"

#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "tests/unit/config/config_fixture.h"

namespace culvert::config {
namespace {

using Type = FileValue::Type;

TEST_CASE("ParseConfigText keeps types, order and places", "[config_file]") {
  const auto file = ParseConfigText(
      "zebra = 'z'\n"
      "apple = 0x10\n"
      "on = true\n"
      "list = ['a',\n  2]\n"
      "rate = 1.5\n"
      "[[forward]]\n"
      "agent = 'edge'\n",
      "f.toml");
  REQUIRE(file.ok());
  REQUIRE(file->children.size() == 6);
  CHECK(file->children[0].key == "zebra");
  CHECK(file->children[0].type == Type::kString);
  CHECK(file->children[0].text == "z");
  CHECK(file->children[0].where == "f.toml:1:9");
  CHECK(file->children[1].text == "16");
  CHECK(file->children[1].type == Type::kInteger);
  CHECK(file->children[2].text == "true");
  CHECK(file->children[2].type == Type::kBoolean);
  CHECK(file->children[3].type == Type::kArray);
  CHECK(file->children[3].children[1].where == "f.toml:5:3");
  CHECK(file->children[4].type_name == "a float");
  const FileValue* const forward = file->Find("forward");
  REQUIRE(forward != nullptr);
  CHECK(forward->type == Type::kArray);
  CHECK(forward->children[0].type == Type::kTable);
  CHECK(forward->children[0].where == "f.toml:7:1");
  CHECK(forward->children[0].Find("agent")->text == "edge");
  CHECK(file->Find("absent") == nullptr);
}

TEST_CASE("ParseConfigText tells where it is not TOML", "[config_file]") {
  auto [content, where] = GENERATE(table<std::string, std::string>({
      {"a = 1\nb =\n", "f.toml:2:4: "},
      {"a = 1\na = 2\n", "f.toml:2:"},
      {"a = 'x\ny'", "f.toml:1:"},
      {"[[forward]\n", "f.toml:1:"},
      {"\n\n  caf\xc3\xa9 = \xff", "f.toml:3:"},
      {"= 1", "f.toml:1:1: "},
  }));
  CAPTURE(content);
  const auto status = ParseConfigText(content, "f.toml").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CAPTURE(std::string(status.message()));
  CHECK(std::string(status.message()).substr(0, where.size()) == where);
  CHECK(status.message().find('\n') == absl::string_view::npos);
}

TEST_CASE("ParseConfigText does not follow nesting without bound", "[config_file]") {
  CHECK_FALSE(ParseConfigText("a = " + std::string(100000, '['), "f.toml").ok());
}

TEST_CASE_METHOD(ConfigFixture, "ReadConfigFile tells a missing file from one it cannot read",
                 "[config_file]") {
  const std::string missing = directory + "/none.toml";
  CHECK(ReadConfigFile(missing).status() ==
        absl::NotFoundError("read config file " + missing + ": No such file or directory"));
  CHECK(ReadConfigFile(directory).status() ==
        absl::InvalidArgumentError("read config file " + directory + ": Is a directory"));
  const std::string below = Write("file", "") + "/none.toml";
  CHECK(ReadConfigFile(below).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE_METHOD(ConfigFixture, "ReadConfigFile reads a pipe, and does not wait for one for ever",
                 "[config_file][slow]") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const std::string path = "/dev/fd/" + std::to_string(ends[0]);
  SECTION("that is written") {
    ssize_t written = 0;
    std::thread writer([&] {
      for (const char* part : {"name = ", "'a'\n"}) written += write(ends[1], part, strlen(part));
      close(ends[1]);
    });
    const auto file = ReadConfigFile(path);
    writer.join();
    REQUIRE(written == 11);
    REQUIRE(file.ok());
    CHECK(file->children.at(0).text == "a");
  }
  SECTION("that is not") {
    CHECK(std::string(ReadConfigFile(path).status().message()).find("timed out") !=
          std::string::npos);
    close(ends[1]);
  }
  close(ends[0]);
}

TEST_CASE_METHOD(ConfigFixture, "ReadConfigFile reads files of up to 1 MiB", "[config_file]") {
  const std::string comment((1 << 20) - 7, '#');
  CHECK(ReadConfigFile(Write("fits.toml", comment + "\na = 1\n")).ok());
  const std::string path = Write("large.toml", comment + "\na = 1\n\n");
  CHECK(MessageOf(ReadConfigFile(path)) == "read config file " + path + ": File too large");
}

}  // namespace
}  // namespace culvert::config
