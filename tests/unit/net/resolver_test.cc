#include "net/resolver.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

using namespace std::chrono_literals;

struct ResolverFixture {
  EventLoop loop;
  std::optional<absl::StatusOr<std::vector<Address>>> result;
  std::unique_ptr<Resolution> resolution;

  void Start(const std::string& host, uint16_t port = 22) {
    resolution = std::make_unique<Resolution>(loop, host, port, [this](auto outcome) {
      CHECK_FALSE(result.has_value());
      result = std::move(outcome);
    });
    CHECK_FALSE(result.has_value());
  }
  const absl::StatusOr<std::vector<Address>>& Result() {
    REQUIRE(loop.RunUntil([&] { return result.has_value(); }, 10s));
    return *result;
  }
};

TEST_CASE_METHOD(ResolverFixture, "Resolution answers a literal with itself", "[resolver]") {
  const auto [host, text] = GENERATE(table<std::string, std::string>({
      {"127.0.0.1", "127.0.0.1:22"},
      {"2001:db8::1", "[2001:db8::1]:22"},
  }));
  Start(host);
  REQUIRE(Result().ok());
  REQUIRE(Result()->size() == 1);
  CHECK(Result()->front().ToString() == text);
}

TEST_CASE_METHOD(ResolverFixture, "Resolution finds localhost, each address once", "[resolver]") {
  Start("localhost", 7400);
  REQUIRE(Result().ok());
  REQUIRE_FALSE(Result()->empty());
  for (const Address& address : *Result()) {
    CHECK(address.is_loopback());
    CHECK(address.port() == 7400);
    CHECK(std::count(Result()->begin(), Result()->end(), address) == 1);
  }
}

TEST_CASE_METHOD(ResolverFixture, "Resolution refuses what cannot be a host name", "[resolver]") {
  // Nothing here reaches a name server.
  Start(GENERATE(std::string(64, 'a') + ".invalid", std::string(300, 'a'), std::string()));
  const absl::Status status = Result().status();
  CHECK_FALSE(status.ok());
  CHECK((absl::IsNotFound(status) || absl::IsInvalidArgument(status)));
  CHECK(status.message().substr(0, 8) == "resolve ");
}

TEST_CASE_METHOD(ResolverFixture, "Resolution destroyed before its answer never calls back",
                 "[resolver]") {
  Start(GENERATE("127.0.0.1", "localhost"));
  resolution.reset();
  CHECK_FALSE(loop.RunUntil([&] { return result.has_value(); }, 30ms));
}

TEST_CASE("Resolution may be destroyed in its callback", "[resolver]") {
  EventLoop loop;
  std::unique_ptr<Resolution> resolution;
  resolution = std::make_unique<Resolution>(loop, GENERATE("127.0.0.1", "localhost"), uint16_t{1},
                                            [&](auto) { resolution.reset(); });
  CHECK(loop.RunUntil([&] { return resolution == nullptr; }, 10s));
}

TEST_CASE("Resolutions destroyed while most of them wait for a thread leave nothing behind",
          "[resolver]") {
  EventLoop loop;
  std::vector<std::unique_ptr<Resolution>> many;
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    many.push_back(
        std::make_unique<Resolution>(loop, "localhost", uint16_t{1}, [&](auto) { ++answered; }));
  }
  many.clear();
  CHECK_FALSE(loop.RunUntil([&] { return answered > 0; }, 20ms));
}

}  // namespace
}  // namespace culvert::net
