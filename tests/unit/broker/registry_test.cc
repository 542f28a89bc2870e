#include "broker/registry.h"

#include <fmt/format.h>

#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

class NoStream final : public rpc::Stream {
 public:
  void SetDelegate(Delegate*) override {}
  void Read() override {}
  void Write(rpc::Frame) override {}
  size_t pending_writes() const override { return 0; }
  void Finish(absl::Status) override {}
  void HoldUntilDone(std::shared_ptr<void>) override {}
};

struct RegistryFixture : Session::Owner {
  net::EventLoop loop;
  Registry registry;
  uint64_t last_id = 0;
  MonotonicTime now = MonotonicTime(std::chrono::hours(1));

  virtual ~RegistryFixture() = default;

  static ProviderKey Key(const std::string& name) { return {"projects/default", "", "", name}; }
  uint64_t Come(const std::string& name) {
    registry.Add(std::make_unique<Session>(loop, ++last_id, OpenSession{Key(name), 0, 0},
                                           "127.0.0.1", std::make_unique<NoStream>(),
                                           Session::Times(), *this));
    return last_id;
  }
  // Comes and goes.
  void Flap(const std::string& name) {
    now += std::chrono::milliseconds(1);
    REQUIRE(registry.Remove(Come(name), now) != nullptr);
  }

  void OnOpenRefused(Session&, const OfferRefusal&) override {}
  void OnStitchFailed(Session&, uint64_t, uint64_t) override {}
  culvert::v1::LeaseDataResponse Lend(const Session&, uint32_t) override { return {}; }
  uint32_t data_port() const override { return 0; }
  void OnSessionLost(Session&, absl::Status) override {}
  std::string MakeTicket(uint64_t, const OpenSession&) override { return ""; }
};

TEST_CASE_METHOD(RegistryFixture, "Registry remembers since when a provider is away",
                 "[registry]") {
  CHECK_FALSE(registry.AwaySince(Key("edge-1")));
  Flap("edge-1");
  CHECK(registry.AwaySince(Key("edge-1")) == now);
  Flap("edge-1");
  CHECK(registry.AwaySince(Key("edge-1")) == now);
  Come("edge-1");
  CHECK_FALSE(registry.AwaySince(Key("edge-1")));
}

TEST_CASE_METHOD(RegistryFixture, "Registry keeps a provider's absence while another one flaps",
                 "[registry]") {
  Flap("edge-1");
  for (size_t i = 0; i < Registry::kMaxAway + 10; ++i) Flap("edge-2");
  CHECK(registry.AwaySince(Key("edge-1")).has_value());
}

TEST_CASE_METHOD(RegistryFixture, "Registry forgets who is away longest when there are too many",
                 "[registry]") {
  Flap("edge-1");
  Flap("edge-2");
  Flap("edge-1");
  for (size_t i = 0; i + 1 < Registry::kMaxAway; ++i) Flap(fmt::format("other-{}", i));
  CHECK(registry.AwaySince(Key("edge-1")).has_value());
  CHECK_FALSE(registry.AwaySince(Key("edge-2")).has_value());
}

}  // namespace
}  // namespace culvert::broker
