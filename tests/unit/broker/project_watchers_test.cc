#include "broker/project_watchers.h"

#include <deque>
#include <map>
#include <utility>

#include "broker/project_worker.h"
#include "net/event_loop.h"
#include "tests/unit/broker/watch_clients.h"

namespace culvert::broker {
namespace {

constexpr std::chrono::seconds kWatchersPatience{20};

// What a client has of its stream. It takes what it is sent when told to.
struct StreamEnd {
  rpc::Stream::Delegate* delegate = nullptr;
  std::vector<rpc::Frame> untaken;
  size_t taken = 0;
  std::optional<absl::Status> ended;
  bool is_gone = false;

  size_t untaken_bytes() const {
    size_t bytes = 0;
    for (const rpc::Frame& frame : untaken) bytes += frame.head.size();
    return bytes;
  }
  void Take() {
    taken += untaken.size();
    untaken.clear();
    if (delegate != nullptr && !is_gone) delegate->OnWritten();
  }
};

class WatcherStream final : public rpc::Stream {
 public:
  explicit WatcherStream(StreamEnd& end) : end_(end) {}
  ~WatcherStream() override { end_.is_gone = true; }

  void SetDelegate(Delegate* delegate) override { end_.delegate = delegate; }
  void Read() override {}
  void Write(rpc::Frame frame) override { end_.untaken.push_back(std::move(frame)); }
  size_t pending_writes() const override { return end_.untaken.size(); }
  void Finish(absl::Status status) override { end_.ended = std::move(status); }
  void HoldUntilDone(std::shared_ptr<void>) override {}

 private:
  StreamEnd& end_;
};

Principal UserOf(const std::string& name) {
  return {crypto::SpiffeId{"culvert.internal", "default", crypto::SpiffeId::Role::kUser, name},
          "key of " + name};
}

struct ProjectWatchersFixture : WatchFixture {
  ProjectWatchersFixture() {
    auto second = store::ProjectStore::Open(directory.path());
    REQUIRE(second.ok());
    worker.emplace(loop, *std::move(second), [] {});
    watchers = std::make_unique<ProjectWatchers>(loop, *worker);
  }
  ~ProjectWatchersFixture() { worker.reset(); }

  absl::Status Add(const std::string& who, StreamEnd& end, const WatchRequest& request = {}) {
    return watchers->Add(
        UserOf(who), Start(request), [&] { return std::make_unique<WatcherStream>(end); },
        [this, who] { return may[who]; });
  }
  bool WaitUntil(const std::function<bool()>& holds) {
    return loop.RunUntil(holds, kWatchersPatience);
  }

  // One that outlives its stream.
  StreamEnd& NewEnd() { return ends.emplace_back(); }
  std::vector<StreamEnd*> NewEnds(size_t count) {
    std::vector<StreamEnd*> made;
    for (size_t i = 0; i < count; ++i) made.push_back(&NewEnd());
    return made;
  }

  net::EventLoop loop;
  std::deque<StreamEnd> ends;
  std::map<std::string, absl::Status> may;
  std::unique_ptr<ProjectWatchers> watchers;
  std::optional<ProjectWorker> worker;
};

TEST_CASE_METHOD(ProjectWatchersFixture, "Watchers hear of changes once they have taken the last",
                 "[projects][watch]") {
  StreamEnd& end = NewEnd();
  REQUIRE(Add("alice", end).ok());
  REQUIRE(WaitUntil([&] { return end.untaken.size() == 1; }));
  for (int i = 0; i < 5; ++i) {
    Put("a", "r", std::to_string(i));
    watchers->HandleChanges();
  }
  StreamEnd& other = NewEnd();
  REQUIRE(Add("alice", other).ok());
  REQUIRE(WaitUntil([&] { return other.untaken.size() == 1; }));
  CHECK(end.untaken.size() == 1);  // it has not taken the first one
  end.Take();
  REQUIRE(WaitUntil([&] { return end.untaken.size() == 1; }));
  const auto response = ParseFrame<WatchResponse>(end.untaken.front());
  REQUIRE(response.project_changes_size() == 1);
  const auto& labels = response.project_changes(0).added().project().metadata().labels();
  CHECK(labels.at("env") == "4");
}

TEST_CASE_METHOD(ProjectWatchersFixture, "A principal that takes nothing waits, others do not",
                 "[projects][watch]") {
  AtOnce([&] {
    for (int i = 0; i < 200; ++i) Put(fmt::format("p{:03}", i), std::string(20'000, 'x'), "l");
  });
  WatchRequest all;
  all.set_page_size(1000);
  const std::vector<StreamEnd*> greedy = NewEnds(20);
  for (StreamEnd* one : greedy) REQUIRE(Add("mallory", *one, all).ok());
  const auto untaken = [&greedy] {
    size_t bytes = 0;
    for (const StreamEnd* one : greedy) bytes += one->untaken_bytes();
    return bytes;
  };
  REQUIRE(WaitUntil([&] { return untaken() > ProjectWatchers::kMostUnsent; }));
  StreamEnd& end = NewEnd();
  REQUIRE(Add("alice", end, all).ok());
  REQUIRE(WaitUntil([&] { return !end.untaken.empty(); }));
  // Several rounds later, too.
  for (int i = 0; i < 5; ++i) {
    end.Take();
    Put("p000", "r", std::to_string(i));
    watchers->HandleChanges();
    REQUIRE(WaitUntil([&] { return !end.untaken.empty(); }));
  }
  CHECK(untaken() <
        ProjectWatchers::kMostUnsent + ProjectWatchers::kMostInRoundBytes + 2 * kMostAnswerBytes);
  // Once it takes what it has, it gets the rest.
  REQUIRE(WaitUntil([&] {
    bool all_have = true;
    for (StreamEnd* one : greedy) {
      if (!one->untaken.empty()) one->Take();
      all_have = all_have && one->taken > 0;
    }
    return all_have;
  }));
}

TEST_CASE_METHOD(ProjectWatchersFixture, "Watches of one principal have a limit",
                 "[projects][watch]") {
  const std::vector<StreamEnd*> all = NewEnds(ProjectWatchers::kMostOfOne + 1);
  for (size_t i = 0; i < ProjectWatchers::kMostOfOne; ++i) REQUIRE(Add("alice", *all[i]).ok());
  const absl::Status refused = Add("alice", *all.back());
  CHECK(absl::IsResourceExhausted(refused));
  CHECK(all.back()->delegate == nullptr);
  StreamEnd& other = NewEnd();
  CHECK(Add("bob", other).ok());
  all[5]->delegate->OnEnd(absl::CancelledError("gone"));
  CHECK(all[5]->is_gone);
  CHECK(Add("alice", *all.back()).ok());
  // Whatever the worker has of them.
  watchers->EndAll(absl::UnavailableError("shutting down"));
  CHECK(watchers->size() == 0);
  for (size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i]->is_gone);
    if (i != 5) CHECK(absl::IsUnavailable(*all[i]->ended));
  }
}

TEST_CASE_METHOD(ProjectWatchersFixture, "A watch ends with its permission", "[projects][watch]") {
  StreamEnd& alices = NewEnd();
  StreamEnd& bobs = NewEnd();
  REQUIRE(Add("alice", alices).ok());
  REQUIRE(Add("bob", bobs).ok());
  may["bob"] = absl::PermissionDeniedError("the key is revoked");
  watchers->CheckPermissions();  // while the worker has both
  REQUIRE(bobs.ended.has_value());
  CHECK(bobs.ended->message() == "the key is revoked");
  REQUIRE(WaitUntil([&] { return !alices.untaken.empty(); }));
  CHECK(bobs.untaken.empty());
  CHECK_FALSE(alices.ended.has_value());
}

}  // namespace
}  // namespace culvert::broker
