// What a broker can do that joins an end's connection with its own, or with somebody else's.
#include <deque>
#include <vector>

#include "culvert/v1/stitch.pb.h"
#include "stitch/frame_message.h"
#include "tests/integration/sdk_stitched_fixture.h"
#include "tests/support/loopback.h"

namespace culvert::test {
namespace {

using culvert::v1::StitchHello;
using stitch::FrameType;

std::string HelloFrame(const StitchHello& hello) {
  std::vector<Bytes> parts;
  stitch::AppendFrame(FrameType::kHello, hello.SerializeAsString(), &parts);
  return std::string(parts[0].view());
}

// A data port that hands tokens on to the broker's, which takes the ends' connections for parked,
// and speaks to the ends itself.
class HostilePort {
 public:
  using Forge = std::function<StitchHello(const StitchHello& heard)>;

  HostilePort() { SetNonBlocking(listener_.get()); }
  uint16_t port() const { return PortOf(listener_.get()); }
  size_t answered() const { return answered_; }
  // What was said with a Hello that names no channel.
  const std::vector<std::string>& early() const { return early_; }

  // What there is to do now: answers each Hello with what `forge` makes of it.
  void Serve(uint16_t broker_port, const Forge& forge) {
    Fd taken(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (taken.get() >= 0) {
      connections_.push_back({std::move(taken), ConnectToLoopback(broker_port), {}, 0});
    }
    for (Connection& connection : connections_) {
      if (connection.near.get() < 0) continue;
      const PeerRead read = ReadNow(connection.near.get());
      connection.heard += read.bytes;
      PassToken(connection);
      Answer(connection, forge);
      if (read.eof || read.error != 0) connection.near.Close();
    }
  }

 private:
  static constexpr size_t kTokenBytes = 32;
  struct Connection {
    Fd near;
    Fd broker;
    std::string heard;
    int steps;  // 1: the token was passed on, 2: the Hello was answered
  };

  static void PassToken(Connection& connection) {
    if (connection.steps != 0 || connection.heard.size() < kTokenBytes) return;
    SendAll(connection.broker.get(), connection.heard.substr(0, kTokenBytes));
    connection.heard.erase(0, kTokenBytes);
    connection.steps = 1;
  }
  void Answer(Connection& connection, const Forge& forge) {
    if (connection.steps != 1 || connection.heard.size() < stitch::kHeaderBytes) return;
    const auto header = stitch::DecodeHeader(connection.heard);
    REQUIRE(header.ok());
    if (connection.heard.size() < stitch::kHeaderBytes + header->length) return;
    StitchHello hello;
    REQUIRE(hello.ParseFromString(connection.heard.substr(stitch::kHeaderBytes, header->length)));
    if (hello.channel_id() == 0) early_.push_back(connection.heard);
    SendSome(connection.near.get(), HelloFrame(forge(hello)));  // the end may have left
    connection.steps = 2;
    ++answered_;
  }

  const Fd listener_ = ListenOnLoopback(64);
  std::deque<Connection> connections_;
  size_t answered_ = 0;
  std::vector<std::string> early_;
};

// Both ends reach the data port by way of the hostile one only.
struct HostileWorld {
  HostileWorld() { REQUIRE(provider.WaitForRegistrations(1)); }

  HostilePort hostile;
  EncryptedStitchWorld world{hostile.port()};
  TestProvider provider{world.Agent()};
  TestConsumer consumer{world.User()};
};

TEST_CASE_METHOD(HostileWorld, "A broker that is no end of the channel cannot take its path over",
                 "[stitched]") {
  HostilePort::Forge forge;
  SECTION("with no proof") {
    forge = [](StitchHello hello) {
      hello.clear_mac();
      return hello;
    };
  }
  SECTION("with what the end has said itself") {
    forge = [](const StitchHello& hello) { return hello; };
  }
  SECTION("with another proof") {
    forge = [](StitchHello hello) {
      hello.set_mac(std::string(32, 'm'));
      return hello;
    };
  }
  SECTION("with messages that were never received") {
    forge = [](StitchHello hello) {
      hello.set_last_message_id(hello.last_message_id() + 1);
      return hello;
    };
  }
  auto outlet = consumer.Connect("echo");  // over streams: nothing is parked yet
  outlet->Say("before");
  REQUIRE(outlet->WaitForBytes("before"));
  REQUIRE(Eventually(
      [&] {
        hostile.Serve(world.broker->data_port(), forge);
        return hostile.answered() >= 2;  // both ends, of the move to a stitched path
      },
      10s));
  outlet->Say(", after");
  CHECK(outlet->WaitForBytes("before, after"));
  const std::vector<ChannelStatus> channels = consumer.consumer->Channels();
  REQUIRE(channels.size() == 1);
  CHECK_FALSE(channels[0].stitched);
  outlet->SayEnd();
  CHECK(outlet->WaitForClose().ok());
  CHECK(provider.Service(0)->WaitForClose().ok());
}

TEST_CASE_METHOD(HostileWorld, "A broker opens nothing by the end of another channel",
                 "[stitched]") {
  HostilePort::Forge forge;
  SECTION("that has another name") {
    forge = [](StitchHello hello) {
      hello.set_channel_id(99);
      return hello;
    };
  }
  SECTION("that has none, or says what this end has said") {
    forge = [](const StitchHello& hello) { return hello; };
  }
  // Until both ends have connections parked they open channels over streams.
  for (size_t opened = 0; opened < 100 && hostile.early().empty(); ++opened) {
    auto outlet = consumer.Connect("echo");
    outlet->Say("hello");
    outlet->SayEnd();
    REQUIRE(Eventually(
        [&] {
          hostile.Serve(world.broker->data_port(), forge);
          const std::lock_guard lock(consumer.mutex);
          return consumer.reports.size() > opened;
        },
        10s));
    CHECK(consumer.reports.back().status.ok());
    CHECK(outlet->received == "hello");
  }
  REQUIRE_FALSE(hostile.early().empty());

  // What went out before the broker had answered: the beginning of a handshake, and nothing of what
  // is opened.
  const std::string& early = hostile.early().front();
  const size_t hello_end = stitch::kHeaderBytes + stitch::DecodeHeader(early)->length;
  REQUIRE(early.size() > hello_end + stitch::kHeaderBytes);
  const auto first = stitch::DecodeHeader(early.substr(hello_end));
  REQUIRE(first.ok());
  CHECK(first->type == FrameType::kData);
  CHECK(first->id == 1);
  CHECK(early.substr(hello_end + stitch::kHeaderBytes, 2) == "\x16\x03");
  CHECK(early.size() == hello_end + stitch::kHeaderBytes + first->length);
  CHECK(early.find("echo") == std::string::npos);
  CHECK(early.find("an arg") == std::string::npos);
}

}  // namespace
}  // namespace culvert::test
