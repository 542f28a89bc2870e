#include "sdk/broker_names.h"

#include <deque>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using Addresses = std::vector<std::string>;

// Answers when the test says so.
struct BrokerNamesFixture {
  struct Question {
    std::string name;
    net::ServiceLookup::Callback callback;
  };

  void Start(const Addresses& brokers) {
    names.emplace(
        loop, *ParseBrokers(brokers),
        [this](const std::string& name, net::ServiceLookup::Callback callback) {
          questions.push_back({name, std::move(callback)});
          return std::make_shared<int>();
        },
        [this] { ++changes; });
    changes = 0;
  }
  void Answer(absl::StatusOr<net::ServiceRecords> answer) {
    REQUIRE_FALSE(questions.empty());
    Question question = std::move(questions.front());
    questions.pop_front();
    std::move(question.callback)(std::move(answer));
  }

  net::EventLoop loop;
  std::deque<Question> questions;
  int changes = 0;
  std::optional<BrokerNames> names;
};

net::ServiceRecords Records(std::vector<net::ServiceTarget> targets, Duration ttl = 1h) {
  return {std::move(targets), ttl};
}

TEST_CASE_METHOD(BrokerNamesFixture, "Only names without a port are asked about",
                 "[broker_names]") {
  Start({"127.0.0.1:1", "[::1]:2", "a.test:3", "localhost", "localhost:4"});
  CHECK(questions.empty());
  CHECK(names->addresses() ==
        Addresses{"127.0.0.1:1", "[::1]:2", "a.test:3", "localhost:7400", "localhost:4"});
  bool known = false;
  names->AwaitFirst([&] { known = true; });
  CHECK(known);

  Start({"a.test"});
  REQUIRE(questions.size() == 1);
  CHECK(questions.front().name == "_culvert._tcp.a.test");
  CHECK(names->addresses() == Addresses{"a.test:7400"});
}

TEST_CASE("What is neither a host nor an address is refused", "[broker_names]") {
  const std::string text = GENERATE("", "a b", "127.0.0.1", "::1", "a:0", "a:b:c", "A.test:1");
  CHECK(absl::IsInvalidArgument(ParseBrokers({text}).status()));
  CHECK(absl::IsInvalidArgument(ParseBrokers({}).status()));
}

TEST_CASE_METHOD(BrokerNamesFixture, "Targets take the place of their domain in the list",
                 "[broker_names]") {
  Start({"first:1", "a.test", "last:2"});
  bool known = false;
  names->AwaitFirst([&] { known = true; });
  CHECK_FALSE(known);
  Answer(Records({{"two", 20, 2, 0}, {"one", 10, 1, 0}, {"last", 2, 3, 0}}));
  CHECK(known);
  CHECK(changes == 1);
  CHECK(names->addresses() == Addresses{"first:1", "one:10", "two:20", "last:2"});
}

TEST_CASE_METHOD(BrokerNamesFixture, "A domain has at most 16 targets", "[broker_names]") {
  Start({"a.test"});
  std::vector<net::ServiceTarget> many;
  for (uint16_t port = 1; port <= 40; ++port) many.push_back({"b", port, port, 0});
  Answer(Records(many));
  CHECK(names->addresses().size() == BrokerNames::kMaxTargets);
  CHECK(names->addresses().back() == "b:16");
}

TEST_CASE_METHOD(BrokerNamesFixture, "The same records again leave the order as it was",
                 "[broker_names]") {
  Start({"a.test"});
  std::vector<net::ServiceTarget> targets;
  for (uint16_t port = 1; port <= 12; ++port) targets.push_back({"b", port, 0, 1});
  Answer(Records(targets, 0s));
  const Addresses before = names->addresses();
  std::reverse(targets.begin(), targets.end());
  REQUIRE(loop.RunUntil([&] { return !questions.empty(); }, 10s));  // when its time is over
  Answer(Records(targets));
  CHECK(names->addresses() == before);
  CHECK(changes == 1);
}

TEST_CASE_METHOD(BrokerNamesFixture, "Silence keeps what was said, and no record takes it back",
                 "[broker_names]") {
  Start({"a.test"});
  Answer(Records({{"b", 1, 0, 0}}, 0s));
  REQUIRE(loop.RunUntil([&] { return !questions.empty(); }, 10s));
  Answer(absl::UnavailableError("no name server"));
  CHECK(names->addresses() == Addresses{"b:1"});
  REQUIRE(loop.RunUntil(
      [&] {
        names->AskSoon();
        return !questions.empty();
      },
      10s));
  Answer(absl::NotFoundError("no record"));
  CHECK(names->addresses() == Addresses{"a.test:7400"});
}

TEST_CASE_METHOD(BrokerNamesFixture, "A name is not asked about more often than every 5 s",
                 "[broker_names]") {
  Start({"a.test"});
  const MonotonicTime begun = MonotonicNow();
  names->AskSoon();
  CHECK(questions.size() == 1);  // under way
  Answer(absl::NotFoundError("no record"));
  REQUIRE(loop.RunUntil(
      [&] {
        names->AskSoon();
        return !questions.empty();
      },
      10s));
  CHECK(MonotonicNow() - begun >= BrokerNames::kLeast - 20ms);
}

TEST_CASE_METHOD(BrokerNamesFixture, "The start waits for silent name servers for 2 s",
                 "[broker_names]") {
  Start({"a.test"});
  bool known = false;
  const MonotonicTime begun = MonotonicNow();
  names->AwaitFirst([&] { known = true; });
  REQUIRE(loop.RunUntil([&] { return known; }, 10s));
  CHECK(MonotonicNow() - begun >= BrokerNames::kFirstTime - 20ms);
  CHECK(names->offered().ok());
  Answer(Records({{"b", 1, 0, 0}}));  // goes on meanwhile
  CHECK(names->addresses() == Addresses{"b:1"});
}

TEST_CASE_METHOD(BrokerNamesFixture, "A domain without brokers is an error if it is the only one",
                 "[broker_names]") {
  Start({"a.test"});
  Answer(Records({}));
  CHECK(absl::IsFailedPrecondition(names->offered()));
  CHECK_FALSE(names->addresses().empty());

  questions.clear();
  Start({"a.test", "b:1"});
  Answer(Records({}));
  CHECK(names->offered().ok());
  CHECK(names->addresses() == Addresses{"b:1"});
}

}  // namespace
}  // namespace culvert
