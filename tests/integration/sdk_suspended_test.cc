// What happens to a consumer's channels between two paths, and what the broker says about them.
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "sdk/client_core.h"
#include "tests/integration/sdk_resume_fixture.h"

namespace culvert::test {
namespace {

TEST_CASE("Consumer replays both full windows", "[sdk][resume]") {
  PlayedProvider played;
  played.echoing = false;
  played.own_window = 256 << 10;
  played.chunk = 60000;
  played.taking = false;
  const std::string there = Pattern(1 << 20);
  const std::string back(1 << 20, 'x');
  played.Say(back);
  auto first = std::make_unique<PlayedBroker>(Serving(played));
  PlayedBroker second(Serving(played));
  TestConsumer consumer({first->address(), second.address()});
  auto outlet = std::make_shared<Probe>(*consumer.client);
  outlet->take = false;
  consumer.Connect("say", outlet);
  for (size_t at = 0; at < there.size(); at += 32768) outlet->Say(there.substr(at, 32768));
  outlet->SayEnd();
  REQUIRE(Eventually([&] { return played.BothWindowsFull(); }));
  first.reset();
  played.taking = true;
  const auto both = [&] {
    outlet->TakeLate();
    return played.Received() == there && outlet->Wait([](const Probe&) { return true; }) &&
           outlet->received == back;
  };
  CHECK(Eventually(both));
  CHECK(Eventually([&] {
    outlet->TakeLate();
    return outlet->closed.has_value();
  }));
  CHECK(outlet->WaitForClose().ok());
  CHECK(played.Resumes().size() >= 1);
}

TEST_CASE("Consumer believes the broker that has cut its channel", "[sdk][resume]") {
  PlayedProvider played;
  played.notice.emplace().mutable_cut()->set_channel_id(PlayedProvider::kChannel);
  played.notice->mutable_cut()->set_code(culvert::v1::ERROR_CODE_KILLED);
  played.notice->mutable_cut()->set_message("killed by an operator");
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  SECTION("its own") {
    auto outlet = consumer.Connect("echo");
    CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kKilled);
    CHECK(played.Resumes().empty());
  }
  SECTION("not another's") {
    played.notice->mutable_cut()->set_channel_id(PlayedProvider::kChannel + 1);
    auto outlet = consumer.Connect("echo");
    outlet->Say("on");
    CHECK(outlet->WaitForBytes("on"));
  }
}

TEST_CASE("Consumer moves away from a broker that is about to stop", "[sdk][resume]") {
  PlayedProvider played;
  played.notice.emplace().mutable_drain()->set_deadline_ms(200);
  std::atomic<int> resumes_at_second = 0;
  PlayedBroker first(Serving(played));
  PlayedBroker second(PlayedBroker::Connect([&](Stream& stream) {
    ++resumes_at_second;
    return played.Serve(stream);
  }));
  TestConsumer consumer({first.address(), second.address()});
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(3000));
  REQUIRE(Eventually([&] { return resumes_at_second == 1; }));
  outlet->Say("and on");
  CHECK(outlet->WaitForBytes(Pattern(3000) + "and on"));
  CHECK(played.Resumes().size() == 1);
}

TEST_CASE("Consumer leaves the only broker at once when it is about to stop", "[sdk][resume]") {
  PlayedProvider played;
  // Whoever is named by it and is not in the list is a stranger.
  std::atomic<int> strangers = 0;
  PlayedBroker stranger(PlayedBroker::Connect([&](Stream&) {
    ++strangers;
    return grpc::Status::OK;
  }));
  played.notice.emplace().mutable_drain()->set_deadline_ms(3'600'000);
  if (GENERATE(false, true)) played.notice->mutable_drain()->add_brokers(stranger.address());
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(3000));
  REQUIRE(Eventually([&] { return played.Resumes().size() == 1; }));
  outlet->Say("and on");
  CHECK(outlet->WaitForBytes(Pattern(3000) + "and on"));
  CHECK(strangers == 0);
  consumer.client->Run([&] {
    CHECK(consumer.client->core().brokers().ForAttempt(0).generation() == 2);  // once
  });
}

TEST_CASE("Consumer does not hurry a broker that stops and can be reached", "[sdk][resume]") {
  PlayedProvider played;
  played.notice.emplace().mutable_drain()->set_deadline_ms(60'000);
  std::vector<MonotonicTime> tries;
  played.refuse = [&](Stream&, const ResumeRequest&) -> std::optional<grpc::Status> {
    tries.push_back(MonotonicNow());
    if (tries.size() > 4) return std::nullopt;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "broker is shutting down");
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say("and on");
  CHECK(outlet->WaitForBytes("and on"));
  REQUIRE(Eventually([&] { return played.Resumes().size() == 5; }));
  // A moment less for what the answers took.
  for (size_t i = 1; i < tries.size(); ++i) CHECK(tries[i] - tries[i - 1] >= 95ms);
}

TEST_CASE("Consumer moves to the broker of its list that is named first", "[sdk][resume]") {
  PlayedProvider played;
  std::atomic<int> elsewhere = 0;
  std::atomic<int> resumes_at_third = 0;
  const PlayedBroker::Connect wrong([&](Stream&) {
    ++elsewhere;
    return grpc::Status::OK;
  });
  PlayedBroker stranger(wrong);
  PlayedBroker second(wrong);
  PlayedBroker third(PlayedBroker::Connect([&](Stream& stream) {
    ++resumes_at_third;
    return played.Serve(stream);
  }));
  PlayedBroker first(Serving(played));
  auto& drain = *played.notice.emplace().mutable_drain();
  drain.set_deadline_ms(200);
  for (const PlayedBroker* broker : {&stranger, &first, &third, &second}) {
    drain.add_brokers(broker->address());
  }
  TestConsumer consumer({first.address(), second.address(), third.address()});
  auto outlet = consumer.Connect("echo");
  outlet->Say("and on");
  REQUIRE(Eventually([&] { return resumes_at_third == 1; }));
  CHECK(outlet->WaitForBytes("and on"));
  CHECK(elsewhere == 0);
}

TEST_CASE("Consumer that drains waits for channels without a path", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(4, played);
  std::atomic<bool> resumable = false;
  played.refuse = [&](Stream&, const ResumeRequest&) -> std::optional<grpc::Status> {
    if (resumable) return std::nullopt;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet");
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  outlet->Say(Pattern(10000));
  REQUIRE(Eventually([&] { return !played.Resumes().empty(); }));
  auto drained = std::make_shared<std::promise<void>>();
  auto done = drained->get_future();
  consumer.consumer->Drain([drained] { drained->set_value(); });
  SECTION("and they are resumed") {
    CHECK(done.wait_for(100ms) == std::future_status::timeout);
    resumable = true;
    outlet->SayEnd();
    CHECK(outlet->WaitForClose().ok());
    CHECK(outlet->received == Pattern(10000));
    CHECK(done.wait_for(10s) == std::future_status::ready);
  }
  SECTION("and the program ends before that") {
    consumer.consumer.reset();
    CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kShutdown);
  }
}

TEST_CASE("Consumer gives suspended channels up when memory runs out", "[sdk][resume]") {
  PlayedProvider played;
  const Cut cut(0, played);
  played.refuse = [](Stream&, const ResumeRequest&) {
    return std::optional(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet"));
  };
  PlayedBroker broker(Serving(played));
  TestConsumer consumer(broker.address());
  auto outlet = consumer.Connect("echo");
  REQUIRE(Eventually([&] { return !played.Resumes().empty(); }));
  std::optional<tunnel::MemoryBudget::Member> others;
  consumer.client->Run([&] {
    others.emplace(consumer.client->core().budget());
    others->SetUsed(consumer.client->core().budget().limit() + 1);
  });
  CHECK(ErrorCodeOf(outlet->WaitForClose()) == ErrorCode::kLimit);
  consumer.client->Run([&] { others.reset(); });
}

}  // namespace
}  // namespace culvert::test
