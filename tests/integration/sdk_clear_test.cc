// Channels without end-to-end encryption at a broker with identities: both ends have to allow them,
// and nobody in between can bring them about.
#include "base/status.h"
#include "culvert/error_code.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "tests/integration/sdk_secure_fixture.h"
#include "tests/support/hostile_stream.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using Method = rpc::StreamInfo::Method;
namespace pb = ntt::proxies::v1;

struct Ends {
  EndToEndChoice user = EndToEndChoice::kRequired;
  bool agent_serves_plain = false;
  bool user_allows_clear = false;
  bool agent_allows_clear = false;
  PathChoice path = PathChoice::kStream;
};

struct ClearFixture {
  static ClientOptions With(ClientOptions options, const Ends& ends, bool allow_clear) {
    options.end_to_end = ends.user;
    options.path = ends.path;
    options.allow_clear_data = allow_clear;
    return options;
  }

  TestRealm realm;
  TestBroker broker;
  TestProvider provider;
  TestConsumer consumer;

  explicit ClearFixture(const Ends& ends, TestBroker::Tamper tamper = {})
      : broker(realm, std::move(tamper), 0, TestBroker::DataAt{}),
        provider(With(SecureOptions(broker.address(), realm.Agent("edge-1")), ends,
                      ends.agent_allows_clear),
                 {}, Plaintext(ends)),
        consumer(With(SecureOptions(broker.address(), realm.User("alice")), ends,
                      ends.user_allows_clear)) {
    REQUIRE(provider.WaitForRegistrations(1));
  }
  static std::set<std::string> Plaintext(const Ends& ends) {
    return ends.agent_serves_plain ? std::set<std::string>{"probe", "echo"}
                                   : std::set<std::string>();
  }

  std::shared_ptr<Probe> Open() {
    auto outlet = consumer.Connect("echo");
    REQUIRE(outlet->Wait([](const Probe& probe) { return probe.opened; }));
    return outlet;
  }
  // Of the only channel, as its two ends see it.
  std::pair<ChannelStatus, ChannelStatus> Status() {
    REQUIRE(Eventually([&] {
      return consumer.consumer->Channels().size() == 1 && provider.provider->Channels().size() == 1;
    }));
    return {consumer.consumer->Channels()[0], provider.provider->Channels()[0]};
  }
  void End(const std::shared_ptr<Probe>& outlet) {
    outlet->SayEnd();
    REQUIRE(outlet->WaitForClose().ok());
    REQUIRE(Eventually([&] {
      return consumer.consumer->Channels().empty() && provider.provider->Channels().empty();
    }));
  }
  // Whether channels come to begin on stitched paths; all of them carry bytes.
  bool ComesToStitched() {
    return Eventually([this] {
      auto outlet = Open();
      outlet->Say("hello");
      REQUIRE(outlet->Wait([](const Probe& probe) { return probe.received == "hello"; }));
      const bool stitched = Status().first.stitched;
      End(outlet);
      return stitched;
    });
  }
  absl::Status Fails() {
    auto outlet = consumer.Connect("probe");
    const absl::Status why = outlet->WaitForClose();
    CHECK_FALSE(outlet->opened);
    return why;
  }
  size_t services() {
    const std::lock_guard lock(provider.mutex);
    return provider.requests.size();
  }
};

// What the broker says on streams of one kind, or hears.
template <typename Message>
TestBroker::Tamper Changing(Method method, bool from_client, std::function<void(Message&)> change) {
  return [method, from_client, change = std::move(change)](
             const rpc::StreamInfo& info,
             std::unique_ptr<rpc::Stream> stream) -> std::unique_ptr<rpc::Stream> {
    if (info.method != method) return stream;
    const auto changed = [change](const std::string& text) {
      Message message;
      REQUIRE(message.ParseFromString(text));
      change(message);
      return message.SerializeAsString();
    };
    if (!from_client) return std::make_unique<HostileStream>(std::move(stream), nullptr, changed);
    return std::make_unique<HostileStream>(
        std::move(stream),
        [changed](const std::string& text) { return std::deque<std::string>{changed(text)}; },
        nullptr);
  };
}

TEST_CASE("Channels are encrypted from end to end unless both ends do without", "[clear]") {
  const bool off = GENERATE(false, true);
  const bool serves_plain = GENERATE(false, true);
  CAPTURE(off, serves_plain);
  ClearFixture at({.user = off ? EndToEndChoice::kOff : EndToEndChoice::kRequired,
                   .agent_serves_plain = serves_plain});
  if (off && !serves_plain) {
    const absl::Status why = at.Fails();
    CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
    CHECK_THAT(std::string(MessageOf(why)), Contains("only with end-to-end encryption"));
    CHECK(at.services() == 0);
    return;
  }
  auto outlet = at.Open();
  outlet->Say("hello");
  REQUIRE(outlet->Wait([](const Probe& probe) { return probe.received == "hello"; }));
  const auto [user, agent] = at.Status();
  CHECK(user.encrypted == !off);
  CHECK(agent.encrypted == !off);
  at.End(outlet);
}

TEST_CASE("A broker cannot take the encryption away where the agent would do without", "[clear]") {
  const Ends ends{.agent_serves_plain = true};
  const auto tell_agent = [](pb::ListenResponse& response) {
    if (response.has_open_channel_response())
      response.mutable_open_channel_response()->set_e2e(culvert::v1::END_TO_END_OFF);
  };
  SECTION("by what it tells the agent") {
    ClearFixture at(ends, Changing<pb::ListenResponse>(Method::kListen, false, tell_agent));
    CHECK(ErrorCodeOf(at.Fails()) == ErrorCode::kDenied);
  }
  SECTION("by what it tells the agent, and by what it then tells the user") {
    auto to_agent = Changing<pb::ListenResponse>(Method::kListen, false, tell_agent);
    auto to_user =
        Changing<pb::ConnectResponse>(Method::kConnect, false, [](pb::ConnectResponse& response) {
          if (response.has_open_response())
            response.mutable_open_response()->set_e2e(culvert::v1::END_TO_END_REQUIRED);
        });
    ClearFixture at(ends, [to_agent, to_user](const rpc::StreamInfo& info,
                                              std::unique_ptr<rpc::Stream> stream) {
      return to_user(info, to_agent(info, std::move(stream)));
    });
    auto outlet = at.consumer.Connect("probe");
    // The service hears a handshake, and says what no handshake is.
    auto service = at.provider.Service(0);
    service->Say("welcome");
    CHECK_FALSE(outlet->WaitForClose().ok());
    CHECK_FALSE(outlet->opened);
    CHECK(outlet->received.empty());
  }
  SECTION("by what it makes of the user's opening") {
    ClearFixture at(
        ends, Changing<pb::ConnectRequest>(Method::kConnect, true, [](pb::ConnectRequest& request) {
          if (request.has_open_request())
            request.mutable_open_request()->set_e2e(culvert::v1::END_TO_END_OFF);
        }));
    const absl::Status why = at.Fails();
    CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
    CHECK_THAT(std::string(MessageOf(why)), Contains("no end-to-end encryption"));
  }
}

TEST_CASE("A user who does without takes no channel that is said to be encrypted", "[clear]") {
  ClearFixture at(
      {.user = EndToEndChoice::kOff, .agent_serves_plain = true},
      Changing<pb::ConnectResponse>(Method::kConnect, false, [](pb::ConnectResponse& response) {
        if (response.has_open_response())
          response.mutable_open_response()->set_e2e(culvert::v1::END_TO_END_REQUIRED);
      }));
  const absl::Status why = at.Fails();
  CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
  CHECK_THAT(std::string(MessageOf(why)), Contains("off here"));
}

TEST_CASE("Plain channels are stitched if both ends allow clear data", "[clear][slow]") {
  ClearFixture at({.user = EndToEndChoice::kOff,
                   .agent_serves_plain = true,
                   .user_allows_clear = true,
                   .agent_allows_clear = true,
                   .path = PathChoice::kAuto});
  CHECK(at.ComesToStitched());
  // And move there.
  auto outlet = at.Open();
  CHECK(Eventually([&] { return at.Status().first.stitched && at.Status().second.stitched; }));
  CHECK_FALSE(at.Status().second.encrypted);
  at.End(outlet);
}

TEST_CASE("Plain channels are not stitched unless both ends allow clear data", "[clear][slow]") {
  const bool user = GENERATE(false, true);
  const bool agent = GENERATE(false, true);
  if (user && agent) return;
  CAPTURE(user, agent);
  ClearFixture at({.user = EndToEndChoice::kOff,
                   .agent_serves_plain = true,
                   .user_allows_clear = user,
                   .agent_allows_clear = agent,
                   .path = PathChoice::kAuto});
  auto outlet = at.Open();
  // Longer than it takes a channel that may move.
  CHECK_FALSE(Eventually([&] { return at.Status().first.stitched; }, 2500ms));
  CHECK(at.broker.pairs() == 0);
  outlet->Say("hello");
  CHECK(outlet->Wait([](const Probe& probe) { return probe.received == "hello"; }));
  at.End(outlet);
}

TEST_CASE("An agent that does not allow clear data takes none that a broker joins", "[clear]") {
  // The broker believes that the agent allows it.
  ClearFixture at(
      {.user = EndToEndChoice::kOff,
       .agent_serves_plain = true,
       .user_allows_clear = true,
       .path = PathChoice::kAuto},
      Changing<pb::ListenRequest>(Method::kListen, true, [](pb::ListenRequest& request) {
        if (!request.has_open_request()) return;
        auto& open = *request.mutable_open_request();
        open.set_caps(open.caps() | tunnel::kCapClearData);
      }));
  bool refused = false;
  CHECK(Eventually([&] {
    auto outlet = at.consumer.Connect("echo");
    outlet->Wait([](const Probe& probe) { return probe.opened || probe.closed; });
    if (outlet->opened) {
      outlet->SayEnd();
      CHECK(outlet->WaitForClose().ok());
    } else {
      CHECK_THAT(std::string(MessageOf(outlet->WaitForClose())), Contains("allow_clear_data"));
      refused = true;
    }
    return refused;
  }));
}

}  // namespace
}  // namespace culvert::test
