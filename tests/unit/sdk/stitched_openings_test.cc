#include "sdk/stitched_openings.h"

#include <sys/socket.h>

#include <utility>
#include <vector>

#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert {
namespace {

using namespace std::chrono_literals;
using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;

struct StreamLog final : rpc::Stream::Delegate {
  void OnMessage(Bytes) override { ++messages; }
  void OnWritten() override {}
  void OnPeerFinished() override {}
  void OnEnd(absl::Status status) override { ends.push_back(std::move(status)); }

  int messages = 0;
  std::vector<absl::Status> ends;
};

struct OpeningsFixture {
  net::EventLoop loop;
  test::Fd listener = test::ListenOnLoopback();
  std::vector<AttachRequest> sent;
  std::optional<StitchedOpenings> openings{
      std::in_place, loop, [this](const AttachRequest& request) { sent.push_back(request); }};

  void Park() {
    openings->Start("127.0.0.1", test::PortOf(listener.get()));
    openings->NoteOpening();
    REQUIRE(Until([this] { return sent.size() == 1; }));
    CHECK(sent[0].lease_data().count() == 2);
    AttachResponse response;
    for (const uint64_t id : {uint64_t{1}, uint64_t{2}}) {
      auto& lease = *response.mutable_lease_data()->add_leases();
      lease.set_parked_id(id);
      lease.set_token(std::string(32, 't'));
    }
    openings->HandleMessage(response);
    REQUIRE(Until([this] { return openings->MayBegin("edge-1"); }));
    sent.clear();
  }
  StitchedOpenings::Try Begin(StreamLog& told) {
    auto begun = openings->Begin("edge-1");
    REQUIRE(begun);
    CHECK(begun->connection != nullptr);
    begun->call->SetDelegate(&told);
    begun->call->Read();
    ntt::proxies::v1::ConnectRequest request;
    request.mutable_open_request();
    begun->call->Write(rpc::FrameOf(request));
    return *std::move(begun);
  }
  void Answer(uint64_t parked_id) {
    AttachResponse response;
    response.mutable_opened()->set_parked_id(parked_id);
    openings->HandleMessage(response);
    Settle();
  }
  uint64_t LastOpened() const {
    for (auto request = sent.rbegin(); request != sent.rend(); ++request) {
      if (request->has_open()) return request->open().parked_id();
    }
    return 0;
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  void Settle() {
    loop.RunUntil([] { return false; }, 10ms);
  }
};

TEST_CASE_METHOD(OpeningsFixture, "StitchedOpenings has no try while nothing is parked",
                 "[attached]") {
  CHECK_FALSE(openings->Begin("edge-1"));
  openings->NoteOpening();
  Settle();
  CHECK(sent.empty());
}

TEST_CASE_METHOD(OpeningsFixture, "StitchedOpenings leaves a broker without a data port alone",
                 "[attached]") {
  SECTION("none") { openings->Start("127.0.0.1", 0); }
  SECTION("no port") { openings->Start("127.0.0.1", 70'000); }
  SECTION("not by IP") { openings->Start("somewhere", 7401); }
  openings->NoteOpening();
  Settle();
  CHECK(sent.empty());
}

TEST_CASE_METHOD(OpeningsFixture, "StitchedOpenings leaves the provider alone that did not come",
                 "[attached]") {
  Park();
  openings->NoteNotJoined("edge-1");
  CHECK_FALSE(openings->MayBegin("edge-1"));
  CHECK_FALSE(openings->Begin("edge-1"));
  CHECK(openings->MayBegin("edge-2"));
  CHECK(openings->Begin("edge-2"));
}

TEST_CASE_METHOD(OpeningsFixture, "StitchedOpenings gives each answer to who asked", "[attached]") {
  Park();
  StreamLog first_told;
  StreamLog second_told;
  const auto first = Begin(first_told);
  const uint64_t first_id = LastOpened();
  const auto second = Begin(second_told);
  const uint64_t second_id = LastOpened();
  CHECK(first_id != second_id);
  Answer(99);
  Answer(second_id);
  CHECK(first_told.messages == 0);
  CHECK(second_told.messages == 1);
  Answer(first_id);
  CHECK(first_told.messages == 1);
  Answer(first_id);
  CHECK(first_told.messages == 1);
}

TEST_CASE_METHOD(OpeningsFixture, "StitchedOpenings drops the answer to a call that is gone",
                 "[attached]") {
  Park();
  StreamLog told;
  { const auto gone = Begin(told); }
  Answer(LastOpened());
  CHECK(told.messages == 0);
  CHECK(told.ends.empty());
}

TEST_CASE_METHOD(OpeningsFixture, "StitchedOpenings ends all calls with the control stream",
                 "[attached]") {
  Park();
  StreamLog told;
  const auto call = Begin(told);
  SECTION("that is lost") { openings->Stop(absl::UnavailableError("lost")); }
  SECTION("that goes with it") { openings.reset(); }
  Settle();
  REQUIRE(told.ends.size() == 1);
  CHECK(absl::IsUnavailable(told.ends[0]));
}

}  // namespace
}  // namespace culvert
