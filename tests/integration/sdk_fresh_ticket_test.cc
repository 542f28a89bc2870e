// Tickets that a broker replaces while their channels have a path.
#include <atomic>
#include <future>
#include <string>
#include <utility>

#include "tests/integration/sdk_resume_fixture.h"

namespace culvert::test {
namespace {

using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;

// The first Attach stream brings tickets when it is told to, and ends; the second one stays. So the
// consumer has taken what the first one brought when the second one comes.
class TicketControl {
 public:
  std::promise<void> go;
  std::promise<void> taken;

  grpc::Status Attach(PlayedBroker::AttachStream& stream) {
    AttachRequest request;
    if (!stream.Read(&request)) return grpc::Status::OK;
    AttachResponse response;
    response.mutable_attached();
    stream.Write(response);
    if (++streams_ == 1) {
      go.get_future().wait();
      Send(stream, PlayedProvider::kChannel, "fresh ticket");
      Send(stream, PlayedProvider::kChannel + 1, "another channel's");
      Send(stream, PlayedProvider::kChannel, "");
      Send(stream, PlayedProvider::kChannel, std::string(100'000, 'x'));
      return {grpc::StatusCode::UNAVAILABLE, "draining"};
    }
    if (streams_ == 2) taken.set_value();
    while (stream.Read(&request)) {
      response.mutable_pong();
      if (request.has_ping()) stream.Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  static void Send(PlayedBroker::AttachStream& stream, uint64_t channel_id,
                   const std::string& ticket) {
    AttachResponse response;
    response.mutable_fresh_ticket()->set_channel_id(channel_id);
    response.mutable_fresh_ticket()->set_ticket(ticket);
    stream.Write(response);
  }

  std::atomic<int> streams_ = 0;
};

TEST_CASE("Consumer resumes with the newest ticket that its broker has sent", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(20, played);
  TicketControl control;
  PlayedBroker broker(nullptr, Serving(played), [&control](PlayedBroker::AttachStream& stream) {
    return control.Attach(stream);
  });
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say("a");
  REQUIRE(outlet->WaitForBytes("a"));
  CHECK(played.Resumes().empty());
  control.go.set_value();
  REQUIRE(control.taken.get_future().wait_for(10s) == std::future_status::ready);

  const std::string text = Pattern(40'000);  // more than the first path carries
  outlet->Say(text);
  outlet->SayEnd();
  REQUIRE(outlet->WaitForBytes("a" + text));
  const auto resumes = played.Resumes();
  REQUIRE_FALSE(resumes.empty());
  CHECK(resumes[0].ticket() == "fresh ticket");
  REQUIRE(outlet->WaitForClose().ok());
}

}  // namespace
}  // namespace culvert::test
