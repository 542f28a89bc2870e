// A broker that is broken into: whatever it does to a sealed channel, neither end takes bytes that
// the other has not sent, nor a part for the whole.
#include "base/status.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "tests/integration/sdk_secure_fixture.h"
#include "tests/support/hostile_stream.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using Method = rpc::StreamInfo::Method;
namespace pb = ntt::proxies::v1;

// Past the handshake and the opening, in both directions.
constexpr uint64_t kEarliest = 6;
constexpr size_t kBytes = 4'000'000;

std::string Text(const google::protobuf::Message& message) { return message.SerializeAsString(); }

// What a client says on streams of one kind.
template <typename Request>
TestBroker::Tamper Tampering(Method method,
                             std::function<std::deque<std::string>(Request)> from_client) {
  return [method, from_client = std::move(from_client)](
             const rpc::StreamInfo& info,
             std::unique_ptr<rpc::Stream> stream) -> std::unique_ptr<rpc::Stream> {
    if (info.method != method) return stream;
    return std::make_unique<HostileStream>(
        std::move(stream),
        [from_client](const std::string& message) {
          Request request;
          REQUIRE(request.ParseFromString(message));
          return from_client(request);
        },
        nullptr);
  };
}

// What the broker says on streams of one kind.
template <typename Response>
TestBroker::Tamper Lying(Method method, std::function<void(Response&)> change) {
  return [method, change = std::move(change)](
             const rpc::StreamInfo& info,
             std::unique_ptr<rpc::Stream> stream) -> std::unique_ptr<rpc::Stream> {
    if (info.method != method) return stream;
    return std::make_unique<HostileStream>(std::move(stream), nullptr,
                                           [change](const std::string& message) {
                                             Response response;
                                             REQUIRE(response.ParseFromString(message));
                                             change(response);
                                             return Text(response);
                                           });
  };
}

struct Attack {
  std::string name;
  std::function<std::deque<std::string>(pb::ConnectRequest)> on_upload;
};

// Each remembers what it has done: they are made anew for each test.
std::vector<Attack> AttacksOnStream() {
  struct Memory {
    uint64_t hits = 0;
    uint64_t shift = 0;
    std::string held;
  };
  const auto attack = [](std::string name, auto change) {
    auto memory = std::make_shared<Memory>();
    return Attack{std::move(name), [memory, change](pb::ConnectRequest request) {
                    if (!request.has_data() || request.data().id() < kEarliest)
                      return std::deque<std::string>{Text(request)};
                    return change(*memory, request);
                  }};
  };
  using Out = std::deque<std::string>;
  return {
      attack("flip a bit",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ == 0) (*request.mutable_data()->mutable_bytes())[40] ^= 1;
               return Out{Text(request)};
             }),
      attack("drop a message and number the others anew",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ == 0) return Out{};
               request.mutable_data()->set_id(request.data().id() - 1);
               return Out{Text(request)};
             }),
      attack("put two messages in the other order",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ == 0) {
                 memory.held = request.data().bytes();
                 return Out{};
               }
               if (memory.hits > 2) return Out{Text(request)};
               pb::ConnectRequest late = request;
               late.mutable_data()->set_bytes(memory.held);
               request.mutable_data()->set_id(request.data().id() - 1);
               return Out{Text(request), Text(late)};
             }),
      attack("send a message twice",
             [](Memory& memory, pb::ConnectRequest request) {
               request.mutable_data()->set_id(request.data().id() + memory.shift);
               Out out{Text(request)};
               if (memory.hits++ == 0) {
                 memory.shift = 1;
                 request.mutable_data()->set_id(request.data().id() + 1);
                 out.push_back(Text(request));
               }
               return out;
             }),
      attack("cut a message short",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ == 0) {
                 std::string& bytes = *request.mutable_data()->mutable_bytes();
                 bytes.resize(bytes.size() - 1);
               }
               return Out{Text(request)};
             }),
      attack("forge an end in the middle",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ == 0) request.mutable_data()->set_end_of_stream(true);
               return Out{Text(request)};
             }),
      attack("forge an end of its own",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ > 0) return Out{};
               request.mutable_data()->clear_bytes();
               request.mutable_data()->set_end_of_stream(true);
               return Out{Text(request)};
             }),
      attack("send plain bytes",
             [](Memory& memory, pb::ConnectRequest request) {
               if (memory.hits++ == 0) request.mutable_data()->set_bytes("evil");
               return Out{Text(request)};
             }),
  };
}

struct HostileFixture {
  TestRealm realm;
  TestBroker broker;
  TestProvider provider{SecureOptions(broker.address(), realm.Agent("edge-1"))};
  TestConsumer consumer{SecureOptions(broker.address(), realm.User("alice"))};

  explicit HostileFixture(TestBroker::Tamper tamper) : broker(realm, std::move(tamper)) {
    REQUIRE(provider.WaitForRegistrations(1));
  }
};

TEST_CASE("A broker cannot change what a sealed channel carries", "[hostile]") {
  for (const Attack& attack : AttacksOnStream()) {
    CAPTURE(attack.name);
    HostileFixture sdk(Tampering<pb::ConnectRequest>(Method::kConnect, attack.on_upload));
    auto outlet = sdk.consumer.Connect("probe");
    const std::string bytes = Pattern(kBytes);
    outlet->Say(bytes);
    outlet->SayEnd();
    auto service = sdk.provider.Service(0);
    const absl::Status at_service = service->WaitForClose();
    CHECK(ErrorCodeOf(at_service) == ErrorCode::kAltered);
    CHECK_THAT(std::string(MessageOf(at_service)), Contains("altered on the way"));
    CHECK(!outlet->WaitForClose().ok());
    CHECK(!service->ended);
    CHECK(service->received.size() < bytes.size());
    CHECK(bytes.compare(0, service->received.size(), service->received) == 0);
  }
}

TEST_CASE("A broker cannot change what a sealed channel brings back", "[hostile]") {
  auto hits = std::make_shared<int>(0);
  HostileFixture sdk(
      Tampering<pb::AcceptRequest>(Method::kAccept, [hits](pb::AcceptRequest request) {
        if (request.has_data() && request.data().id() >= kEarliest && (*hits)++ == 0) {
          (*request.mutable_data()->mutable_bytes())[40] ^= 1;
        }
        return std::deque<std::string>{Text(request)};
      }));
  auto outlet = sdk.consumer.Connect("probe");
  auto service = sdk.provider.Service(0);
  const std::string bytes = Pattern(kBytes);
  service->Say(bytes);
  service->SayEnd();
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kAltered);
  CHECK(!outlet->ended);
  CHECK(bytes.compare(0, outlet->received.size(), outlet->received) == 0);
  CHECK(!service->WaitForClose().ok());
}

TEST_CASE("A broker cannot open another target than the user asked for", "[hostile]") {
  using Change = std::function<void(pb::ListenResponse::OpenChannelResponse&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"arg", [](auto& offer) { offer.set_arg("another arg"); }},
      {"service", [](auto& offer) { offer.set_service("echo"); }},
      {"user",
       [](auto& offer) {
         offer.mutable_consumer()->set_spiffe_id(
             "spiffe://culvert.internal/project/default/user/bob");
       }},
      {"key", [](auto& offer) { offer.mutable_consumer()->set_key_thumbprint("bob's"); }},
  };
  for (const auto& [name, change] : changes) {
    CAPTURE(name);
    HostileFixture sdk(
        Lying<pb::ListenResponse>(Method::kListen, [change = change](pb::ListenResponse& response) {
          if (response.has_open_channel_response())
            change(*response.mutable_open_channel_response());
        }));
    const absl::Status why = sdk.consumer.Connect("probe")->WaitForClose();
    CHECK(ErrorCodeOf(why) == ErrorCode::kAltered);
    CHECK_THAT(std::string(MessageOf(why)), Contains("opening altered on the way"));
    REQUIRE(sdk.provider.WaitForReports(1));
    CHECK(ErrorCodeOf(sdk.provider.reports[0].status) == ErrorCode::kAltered);
    const std::lock_guard lock(sdk.provider.mutex);
    CHECK(sdk.provider.requests.empty());  // no service was asked for
  }
}

TEST_CASE("A broker cannot take the encryption away", "[hostile]") {
  SECTION("from what it tells the agent") {
    HostileFixture sdk(Lying<pb::ListenResponse>(Method::kListen, [](pb::ListenResponse& response) {
      if (response.has_open_channel_response())
        response.mutable_open_channel_response()->set_e2e(culvert::v1::END_TO_END_OFF);
    }));
    const absl::Status why = sdk.consumer.Connect("probe")->WaitForClose();
    CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
    CHECK_THAT(std::string(MessageOf(why)), Contains("only with end-to-end encryption"));
    CHECK(sdk.provider.requests.empty());
  }
  SECTION("from what it tells the user") {
    HostileFixture sdk(
        Lying<pb::ConnectResponse>(Method::kConnect, [](pb::ConnectResponse& response) {
          if (response.has_open_response()) response.mutable_open_response()->clear_e2e();
        }));
    const absl::Status why = sdk.consumer.Connect("probe")->WaitForClose();
    CHECK(ErrorCodeOf(why) == ErrorCode::kDenied);
    CHECK_THAT(std::string(MessageOf(why)), Contains("no end-to-end encryption"));
    CHECK(sdk.provider.requests.empty());
  }
  SECTION("by calling the other end a legacy peer") {
    HostileFixture sdk(
        Lying<pb::ConnectResponse>(Method::kConnect, [](pb::ConnectResponse& response) {
          if (response.has_open_response()) response.mutable_open_response()->clear_caps();
        }));
    CHECK(ErrorCodeOf(sdk.consumer.Connect("probe")->WaitForClose()) == ErrorCode::kDenied);
    CHECK(sdk.provider.requests.empty());
  }
}

TEST_CASE("A broker cannot cross the channels of two users", "[hostile]") {
  // The agent's second answer goes to the first opening, and its first to the second.
  struct Crossing {
    std::mutex mutex;
    std::vector<uint64_t> channels;
  };
  auto crossing = std::make_shared<Crossing>();
  HostileFixture sdk(
      Lying<pb::ListenResponse>(Method::kListen, [crossing](pb::ListenResponse& response) {
        if (!response.has_open_channel_response()) return;
        const std::lock_guard lock(crossing->mutex);
        crossing->channels.push_back(response.open_channel_response().channel_id());
        if (crossing->channels.size() == 2) {
          // The agent is told that this one is alice's channel, and accepts under that id.
          response.mutable_open_channel_response()->set_channel_id(crossing->channels[0] + 1);
        }
      }));
  auto first = sdk.consumer.Connect("probe");
  REQUIRE(first->Wait([](const Probe& probe) { return probe.opened; }));
  TestConsumer bob(SecureOptions(sdk.broker.address(), sdk.realm.User("bob")));
  auto second = bob.Connect("probe");
  CHECK(!second->WaitForClose().ok());
  CHECK(!second->opened);
  first->Say("still mine");
  CHECK(sdk.provider.Service(0)->WaitForBytes("still mine"));
}

TEST_CASE("A channel that is recorded cannot be played again", "[hostile]") {
  // The same messages on a second opening of the same user: the handshake differs.
  auto recorded = std::make_shared<std::vector<std::string>>();
  auto opening = std::make_shared<int>(0);
  HostileFixture sdk(
      [recorded, opening](const rpc::StreamInfo& info,
                          std::unique_ptr<rpc::Stream> stream) -> std::unique_ptr<rpc::Stream> {
        if (info.method != Method::kConnect) return stream;
        const bool replay = (*opening)++ > 0;
        auto at = std::make_shared<size_t>(0);
        return std::make_unique<HostileStream>(
            std::move(stream),
            [recorded, replay, at](std::string message) {
              pb::ConnectRequest request;
              REQUIRE(request.ParseFromString(message));
              if (request.has_data() && !replay) recorded->push_back(request.data().bytes());
              if (request.has_data() && replay && *at < recorded->size()) {
                request.mutable_data()->set_bytes((*recorded)[(*at)++]);
              }
              return std::deque<std::string>{Text(request)};
            },
            nullptr);
      });
  auto first = sdk.consumer.Connect("probe");
  first->Say("pay 100");
  REQUIRE(sdk.provider.Service(0)->WaitForBytes("pay 100"));
  auto second = sdk.consumer.Connect("probe");
  second->Say("nothing");
  CHECK(!second->WaitForClose().ok());
  const std::lock_guard lock(sdk.provider.mutex);
  CHECK(sdk.provider.requests.size() == 1);
}

}  // namespace
}  // namespace culvert::test
