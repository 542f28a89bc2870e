#include "crypto/spiffe_id.h"

#include "tests/support/catch.h"

namespace culvert::crypto {
namespace {

TEST_CASE("SpiffeId is read as it is written", "[spiffe_id]") {
  const SpiffeId id{"culvert.internal", "default", SpiffeId::Role::kAgent, "edge-1"};
  CHECK(id.ToString() == "spiffe://culvert.internal/project/default/agent/edge-1");
  const auto parsed = SpiffeId::Parse(id.ToString());
  REQUIRE(parsed.ok());
  CHECK(*parsed == id);
  CHECK(SpiffeId::Parse("spiffe://a/project/p/user/alice")->role == SpiffeId::Role::kUser);
  const SpiffeId account{"a", "p", SpiffeId::Role::kServiceAccount, "ci"};
  CHECK(account.ToString() == "spiffe://a/project/p/service-account/ci");
  CHECK(SpiffeId::Parse(account.ToString())->role == SpiffeId::Role::kServiceAccount);
}

TEST_CASE("SpiffeId refuses what it would not write", "[spiffe_id]") {
  for (const char* text : {"",
                           "spiffe://",
                           "http://a/project/p/agent/n",
                           "spiffe://a/project/p/agent",
                           "spiffe://a/project/p/agent/",
                           "spiffe://a/project/p/agent/n/",
                           "spiffe://a/project/p/broker/n",
                           "spiffe://a/project/p/service_account/n",
                           "spiffe://a/projects/p/agent/n",
                           "spiffe:///project/p/agent/n",
                           "spiffe://A/project/p/agent/n",
                           "spiffe://a:1/project/p/agent/n",
                           "spiffe://u@a/project/p/agent/n",
                           "spiffe://a/project//agent/n",
                           "spiffe://a/project/../agent/n",
                           "spiffe://a/project/p/agent/%6e",
                           "spiffe://a/project/p/agent/n?q",
                           "spiffe://a/project/p/agent/n#f",
                           "SPIFFE://a/project/p/agent/n",
                           "spiffe://a/project/p/Agent/n"}) {
    CAPTURE(text);
    CHECK_FALSE(SpiffeId::Parse(text).ok());
  }
  CHECK_FALSE(SpiffeId::Parse("spiffe://a/project/p/agent/" + std::string(129, 'n')).ok());
  CHECK_FALSE(SpiffeId::Parse(std::string_view("spiffe://a/project/p/agent/n\0", 29)).ok());
}

}  // namespace
}  // namespace culvert::crypto
