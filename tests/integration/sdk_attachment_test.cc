// The consumer's side of culvert.v1.Control, against a broker that the test plays.
#include <atomic>
#include <mutex>

#include "sdk/attachment.h"
#include "tests/integration/sdk_fixture.h"
#include "tests/support/loopback.h"
#include "tests/support/played_control.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using test::PlayedControl;
using AttachStream = PlayedControl::AttachStream;

// An Attachment on the test's thread.
struct Attached {
  explicit Attached(const std::vector<std::string>& addresses,
                    Duration answer_time = Attachment::kAnswerTime)
      : brokers(loop, addresses, rpc::Credentials::Insecure()), connectivity(loop, brokers) {
    options.project = "projects/default";
    options.name = "a-consumer";
    attachment = std::make_unique<Attachment>(
        loop, brokers, connectivity, options,
        Attachment::Process{.renew = [this] { ++renewals; },
                            .hold_openings = [this](Duration time) { held = time; }},
        answer_time);
  }
  ~Attached() {
    user.reset();
    attachment.reset();
    loop.RunUntil([] { return false; }, 50ms);  // for gRPC's last words
  }
  void Use() {
    user.emplace(*attachment,
                 Attachment::User::Callbacks{
                     .on_drain =
                         [this](size_t broker, uint64_t, const culvert::v1::Notice::Drain& drain) {
                           drained_from = broker;
                           drain_ms = drain.deadline_ms();
                         },
                     .on_cut =
                         [this](uint64_t channel, const absl::Status& why) {
                           cut_channel = channel;
                           cut_why = why;
                         }});
  }
  bool Until(const std::function<bool()>& done, Duration limit = 5s) {
    return loop.RunUntil(done, limit);
  }
  bool Is(Attachment::State state) const { return attachment->state() == state; }

  net::EventLoop loop;
  ClientOptions options;
  BrokerList brokers;
  Connectivity connectivity;
  std::unique_ptr<Attachment> attachment;
  std::optional<Attachment::User> user;
  int renewals = 0;
  std::optional<Duration> held;
  std::optional<size_t> drained_from;
  uint32_t drain_ms = 0;
  uint64_t cut_channel = 0;
  absl::Status cut_why;
};

TEST_CASE("Attachment says who it is, and has no stream before anybody needs it", "[attachment]") {
  std::promise<culvert::v1::AttachRequest> hello;
  std::atomic<int> streams = 0;
  PlayedControl broker([&](AttachStream& stream) {
    ++streams;
    culvert::v1::AttachRequest request;
    if (PlayedControl::Greet(stream, &request)) hello.set_value(request);
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()});
  attached.Until([] { return false; }, 100ms);
  CHECK(streams == 0);

  attached.Use();
  REQUIRE(attached.Until([&] { return attached.Is(Attachment::State::kAttached); }));
  const culvert::v1::AttachRequest request = hello.get_future().get();
  CHECK(request.hello().project() == "projects/default");
  CHECK(request.hello().name() == "a-consumer");
  CHECK(tunnel::IsCapable(request.hello().caps()));
  CHECK(request.hello().incarnation() != 0);
}

TEST_CASE("Attachment passes notices on", "[attachment]") {
  PlayedControl broker([](AttachStream& stream) {
    PlayedControl::Greet(stream);
    culvert::v1::Notice notice;
    notice.mutable_renew();
    PlayedControl::Tell(stream, notice);
    notice.mutable_retry_after()->set_ms(4'000'000'000);
    PlayedControl::Tell(stream, notice);
    notice.mutable_cut()->set_channel_id(7);
    notice.mutable_cut()->set_code(culvert::v1::ERROR_CODE_KILLED);
    notice.mutable_cut()->set_message("by an operator");
    PlayedControl::Tell(stream, notice);
    notice.mutable_drain()->set_deadline_ms(1500);
    PlayedControl::Tell(stream, notice);
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()});
  attached.Use();
  REQUIRE(attached.Until([&] { return attached.drained_from.has_value(); }));
  CHECK(attached.renewals == 1);
  CHECK(attached.held == Duration(Attachment::kMaxHold));
  CHECK(attached.cut_channel == 7);
  CHECK(ErrorCodeOf(attached.cut_why) == ErrorCode::kKilled);
  CHECK(attached.drained_from == 0U);
  CHECK(attached.drain_ms == 1500);
}

TEST_CASE("Attachment passes fresh tickets on, but none that is too long", "[attachment]") {
  constexpr size_t kMost = Attachment::kMostTicketBytes;
  PlayedControl broker([](AttachStream& stream) {
    PlayedControl::Greet(stream);
    for (const size_t size : {size_t{5}, size_t{0}, kMost, kMost + 1, size_t{1}}) {
      culvert::v1::AttachResponse response;
      response.mutable_fresh_ticket()->set_channel_id(7);
      response.mutable_fresh_ticket()->set_ticket(std::string(size, 't'));
      stream.Write(response);
    }
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()});
  std::vector<size_t> sizes;
  attached.user.emplace(
      *attached.attachment,
      Attachment::User::Callbacks{
          .on_drain = nullptr,
          .on_cut = nullptr,
          .on_fresh_ticket = [&](size_t from, uint64_t channel, const std::string& ticket) {
            CHECK(from == 0);
            CHECK(channel == 7);
            sizes.push_back(ticket.size());
          }});
  REQUIRE(attached.Until([&] { return !sizes.empty() && sizes.back() == 1; }));
  CHECK(sizes == std::vector<size_t>{5, kMost, 1});
}

TEST_CASE("Attachment leaves the only broker at once when it is about to stop", "[attachment]") {
  std::atomic<int> streams = 0;
  PlayedControl broker([&](AttachStream& stream) {
    PlayedControl::Greet(stream);
    if (++streams == 1) {
      culvert::v1::Notice notice;
      notice.mutable_drain()->set_deadline_ms(3'600'000);
      PlayedControl::Tell(stream, notice);
    }
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()});
  attached.Use();
  CHECK(attached.Until([&] { return streams == 2 && attached.Is(Attachment::State::kAttached); }));
}

TEST_CASE("Attachment comes back after its stream was lost", "[attachment]") {
  std::atomic<int> streams = 0;
  PlayedControl broker([&](AttachStream& stream) {
    PlayedControl::Greet(stream);
    if (++streams == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()});
  attached.Use();
  CHECK(attached.Until([&] { return streams == 2 && attached.Is(Attachment::State::kAttached); }));
}

TEST_CASE("Attachment gets along without a broker that serves it", "[attachment]") {
  std::atomic<int> calls = 0;
  PlayedControl broker([&](AttachStream&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
  });
  Attached attached({broker.address()});
  attached.Use();
  REQUIRE(attached.Until([&] { return attached.Is(Attachment::State::kWaiting); }));
  attached.Until([] { return false; }, 300ms);
  CHECK(calls == 1);
}

TEST_CASE("Attachment asks a broker again that was slow to answer", "[attachment]") {
  std::atomic<int> streams = 0;
  PlayedControl broker([&](AttachStream& stream) {
    if (++streams == 1) {
      culvert::v1::AttachRequest request;
      while (stream.Read(&request)) {
      }
      return grpc::Status::OK;
    }
    PlayedControl::Greet(stream);
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()}, 100ms);
  attached.Use();
  CHECK(attached.Until([&] { return streams >= 2 && attached.Is(Attachment::State::kAttached); }));
}

TEST_CASE("Attachment does not press a broker that does not want it", "[attachment]") {
  std::atomic<int> calls = 0;
  PlayedControl broker([&](AttachStream&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not you");
  });
  Attached attached({broker.address()});
  attached.Use();
  REQUIRE(attached.Until([&] { return attached.Is(Attachment::State::kWaiting); }));
  attached.Until([] { return false; }, 500ms);
  CHECK(calls == 1);
}

TEST_CASE("Attachment follows the channels to another broker once its own is gone",
          "[attachment]") {
  PlayedControl broker([](AttachStream& stream) {
    PlayedControl::Greet(stream);
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  const uint16_t nobody = test::PortOf(test::ListenOnLoopback().get());
  Attached attached({"127.0.0.1:" + std::to_string(nobody), broker.address()});
  attached.Use();
  REQUIRE(attached.Until([&] { return attached.Is(Attachment::State::kWaiting); }));
  attached.attachment->Use(1);
  CHECK(attached.Until([&] { return attached.Is(Attachment::State::kAttached); }));
  CHECK(attached.attachment->broker() == 1);
}

TEST_CASE("Attachment may lose its user in the middle of a notice", "[attachment]") {
  PlayedControl broker([](AttachStream& stream) {
    PlayedControl::Greet(stream);
    culvert::v1::Notice notice;
    notice.mutable_cut()->set_channel_id(1);
    PlayedControl::Tell(stream, notice);
    PlayedControl::Tell(stream, notice);
    PlayedControl::AnswerPings(stream);
    return grpc::Status::OK;
  });
  Attached attached({broker.address()});
  int cuts = 0;
  std::optional<Attachment::User> user;
  user.emplace(*attached.attachment,
               Attachment::User::Callbacks{.on_drain = nullptr,
                                           .on_cut = [&](uint64_t, const absl::Status&) {
                                             ++cuts;
                                             attached.loop.Post([&] { user.reset(); });
                                           }});
  std::optional<Attachment::User> other;
  other.emplace(*attached.attachment,
                Attachment::User::Callbacks{
                    .on_drain = nullptr, .on_cut = [&](uint64_t, const absl::Status&) { ++cuts; }});
  CHECK(attached.Until([&] { return cuts >= 3; }));
  user.reset();
  other.reset();
}

}  // namespace
}  // namespace culvert
