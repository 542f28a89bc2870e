#include "sdk/broker_list.h"

#include <fmt/format.h>

#include "tests/support/catch.h"

namespace culvert {
namespace {

struct Watcher final : BrokerList::Observer {
  void OnBrokerGoes(size_t broker) override { gone.push_back(broker); }
  void OnBrokerComes(size_t broker) override { come.push_back(broker); }
  void OnOrderChanged() override { ++changes; }
  bool NeedsBroker(size_t broker) const override { return broker == needed; }

  std::vector<size_t> gone;
  std::vector<size_t> come;
  int changes = 0;
  size_t needed = 1000;
};

struct BrokerListFixture {
  net::EventLoop loop;
  BrokerList list{loop, {"a:1", "b:1", "c:1"}, rpc::Credentials::Insecure()};
};

google::protobuf::RepeatedPtrField<std::string> Named(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

TEST_CASE_METHOD(BrokerListFixture, "The list is gone through over and over", "[broker_list]") {
  CHECK(list.size() == 3);
  CHECK(list.First() == 0);
  CHECK(list.After(0) == 1);
  CHECK(list.After(2) == 0);
  CHECK(list.NextOf(0, Named({"x:1", "c:1"})) == 2);
  CHECK(list.NextOf(0, Named({"a:1"})) == 1);  // the one that stops names itself
}

TEST_CASE_METHOD(BrokerListFixture, "A broker keeps its number in another order", "[broker_list]") {
  const rpc::Connection* const b = &list.ForAttempt(1);
  list.SetAddresses({"d:1", "b:1"});
  CHECK(list.size() == 2);
  CHECK(list.AddressForAttempt(1) == "b:1");
  CHECK(&list.ForAttempt(1) == b);
  CHECK(list.First() == 3);
  CHECK(list.After(3) == 1);
  CHECK(list.After(1) == 3);
}

TEST_CASE_METHOD(BrokerListFixture, "A broker that is not listed any more is left for the first",
                 "[broker_list]") {
  list.SetAddresses({"c:1", "b:1"});
  CHECK(list.Current(0) == 2);
  CHECK(list.Current(1) == 1);
  CHECK(list.After(0) == 2);
  CHECK(list.AddressForAttempt(0) == "a:1");  // whoever has a stream there can say so
  list.SetAddresses({"a:1"});
  CHECK(list.Current(0) == 0);
  CHECK(list.count() == 3);
}

TEST_CASE_METHOD(BrokerListFixture, "Names that change for ever do not make the list grow for ever",
                 "[broker_list]") {
  Watcher watcher;
  list.SetObserver(&watcher);
  watcher.needed = 0;
  for (int i = 0; i < 200; ++i) list.SetAddresses({fmt::format("n{}:1", i)});
  CHECK(watcher.changes == 200);
  CHECK(watcher.come.size() == 200);
  CHECK(list.count() <= BrokerList::kMaxRetired + 2);
  CHECK(list.AddressForAttempt(list.First()) == "n199:1");
  // Each number is given up before it is given again, and none that is needed.
  CHECK(std::find(watcher.gone.begin(), watcher.gone.end(), 0) == watcher.gone.end());
  CHECK(watcher.gone.front() == 1);
  CHECK(list.AddressForAttempt(0) == "a:1");
  list.SetObserver(nullptr);
}

}  // namespace
}  // namespace culvert
