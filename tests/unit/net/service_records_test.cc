#include <map>
#include <string>

#include "net/service_lookup.h"
#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using std::chrono_literals::operator""s;
using std::string_literals::operator""s;

// A message with these records, as they are on the wire.
std::vector<uint8_t> Message(const std::vector<std::string>& records) {
  std::string text =
      "\0\1\x85\x80\0\1\0"s + static_cast<char>(records.size()) + "\0\0\0\0"s + "\1x\0\0\x21\0\1"s;
  for (const std::string& record : records) text += record;
  return {text.begin(), text.end()};
}

std::string Record(const std::string& data, char type = 33, char ttl = 60) {
  return "\xc0\x0c\0"s + type + "\0\1\0\0\0"s + ttl + '\0' + static_cast<char>(data.size()) + data;
}

std::string Srv(char priority, char weight, const std::string& port, const std::string& target) {
  return "\0"s + priority + '\0' + weight + port + target;
}

TEST_CASE("ParseServiceRecords reads targets and the shortest time to live", "[service]") {
  const auto records = ParseServiceRecords(Message({
      Record("\4abcd", 5),  // not an SRV
      Record(Srv(1, 2, "\x1c\xe8", "\1B\4test\0"s), 33, 90),
      Record(Srv(3, 4, "\0\1"s, "\xc0\x0c"), 33, 30),
  }));
  REQUIRE(records.ok());
  CHECK(records->targets == std::vector<ServiceTarget>{{"b.test", 7400, 1, 2}, {"x", 1, 3, 4}});
  CHECK(records->ttl == 30s);
}

TEST_CASE("ParseServiceRecords leaves out what makes no sense", "[service]") {
  const auto record = GENERATE(Srv(0, 0, "\0\0"s, "\1b\0"s),    // port 0
                               Srv(0, 0, "\0\1"s, "\3a b\0"s),  // no host name
                               Srv(0, 0, "\0\1"s,
                                   "\3"
                                   "10.\1"
                                   "1\0"s),  // no name, but what could be read as an address
                               "\0\0\0\0\0\1"s, "\0\0"s,
                               Srv(0, 0, "\0\1"s,
                                   "\x3f"
                                   "b"),
                               Srv(0, 0, "\0\1"s, "\xc0\xff"));
  CHECK(absl::IsNotFound(ParseServiceRecords(Message({Record(record)})).status()));
}

TEST_CASE("ParseServiceRecords hears that a service is not offered", "[service]") {
  const std::string none = Record(Srv(0, 0, "\0\0"s, "\0"s));
  const auto records = ParseServiceRecords(Message({none}));
  REQUIRE(records.ok());
  CHECK(records->targets.empty());
  // Beside others it says nothing.
  CHECK(
      ParseServiceRecords(Message({none, Record(Srv(0, 0, "\0\1"s, "\1b\0"s))}))->targets.size() ==
      1);
}

TEST_CASE("ParseServiceRecords refuses what is cut off", "[service]") {
  CHECK(absl::IsInvalidArgument(ParseServiceRecords({}).status()));
  const std::vector<uint8_t> whole = Message({Record(Srv(0, 0, "\0\1"s, "\1b\0"s))});
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(ParseServiceRecords(absl::MakeConstSpan(whole).subspan(0, size)).ok());
  }
}

TEST_CASE("Targets are tried by priority, and within one as the weights have it", "[service]") {
  const std::vector<ServiceTarget> targets{
      {"later", 1, 20, 0}, {"none", 1, 10, 0}, {"one", 1, 10, 1}, {"three", 1, 10, 3}};
  std::map<std::string, int> first;
  // All numbers that may be picked, each once: 0 is that of the target without weight.
  for (uint32_t picked = 0; picked <= 4; ++picked) {
    const auto ordered = InOrderToTry(targets, [picked](uint32_t most) {
      CHECK(most <= 4);
      return std::min(picked, most);
    });
    REQUIRE(ordered.size() == 4);
    CHECK(ordered.back().host == "later");
    ++first[ordered.front().host];
  }
  CHECK(first == std::map<std::string, int>{{"none", 1}, {"one", 1}, {"three", 3}});
}

}  // namespace
}  // namespace culvert::net
