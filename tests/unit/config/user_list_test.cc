#include "config/user_list.h"

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

const std::string kKey(52, 'a');
const std::string kOtherKey = std::string(51, 'b') + "a";
constexpr char kAlice[] = "spiffe://culvert.internal/project/default/user/alice";
constexpr char kCi[] = "spiffe://culvert.internal/project/default/service-account/ci";
constexpr char kEdge[] = "spiffe://culvert.internal/project/default/agent/alice";

TEST_CASE("UserList without entries lets everyone in", "[user_list]") {
  CHECK(UserList().Allows(kAlice, kKey));
  CHECK(UserList().Allows("", ""));
}

TEST_CASE("UserList tells users, agents and keys apart", "[user_list]") {
  CHECK(UserList({"alice"}).Allows(kAlice, kKey));
  CHECK_FALSE(UserList({"alice"}).Allows(kEdge, kKey));
  CHECK(UserList({"agent:alice"}).Allows(kEdge, kKey));
  CHECK_FALSE(UserList({"agent:alice"}).Allows(kAlice, kKey));
  CHECK(UserList({"key:" + kKey}).Allows(kAlice, kKey));
  CHECK_FALSE(UserList({"key:" + kKey}).Allows(kAlice, kOtherKey));
  CHECK(UserList({"service-account:ci"}).Allows(kCi, kKey));
  CHECK_FALSE(UserList({"ci"}).Allows(kCi, kKey));
  CHECK_FALSE(UserList({"agent:ci"}).Allows(kCi, kKey));
  CHECK_FALSE(UserList({"service-account:alice"}).Allows(kAlice, kKey));
  CHECK_FALSE(UserList({"key:" + kKey}).Allows(kCi, ""));  // of a JWT
  CHECK_FALSE(UserList({"bob"}).Allows(kAlice, kKey));
  CHECK_FALSE(UserList({"alice"}).Allows("", ""));
}

TEST_CASE("UserList takes names and keys only", "[user_list]") {
  for (const std::string& good : {std::string("alice"), "key:" + kKey, std::string("agent:a"),
                                  std::string("service-account:ci")}) {
    CHECK(UserList::ParseEntry(good).ok());
  }
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("key:abc"), std::string("agent:"),
        std::string("service-account:a b"), "key:" + std::string(52, 'A')}) {
    CAPTURE(bad);
    CHECK_FALSE(UserList::ParseEntry(bad).ok());
  }
}

}  // namespace
}  // namespace culvert::config
