#include "forwarder/watch_inbox.h"

#include "tests/support/catch.h"

namespace culvert::forwarder {
namespace {

using namespace std::chrono_literals;
using Kind = WatchInbox::Kind;

struct InboxFixture {
  InboxFixture() { REQUIRE(inbox.Open().ok()); }
  WatchInbox inbox;
};

TEST_CASE_METHOD(InboxFixture, "Inbox of a watch gives what was put in, in its order",
                 "[watch_inbox]") {
  inbox.Put({Kind::kMessage, Bytes(), {}});
  inbox.Put({Kind::kEnd, {}, absl::UnavailableError("gone")});
  CHECK(inbox.Wait().kind == Kind::kMessage);
  const WatchInbox::Item end = inbox.Wait();
  CHECK(end.kind == Kind::kEnd);
  CHECK(absl::IsUnavailable(end.status));
  CHECK(inbox.Wait(0ns).kind == Kind::kTime);
}

TEST_CASE_METHOD(InboxFixture, "Inbox of a watch has nothing of a stream that is over",
                 "[watch_inbox]") {
  inbox.Put({Kind::kMessage, Bytes(), {}});
  inbox.Put({Kind::kEnd, {}, absl::UnavailableError("gone")});
  inbox.DropStream();
  CHECK(inbox.Wait(0ns).kind == Kind::kTime);
  inbox.Put({Kind::kMessage, Bytes(), {}});  // of the next one
  CHECK(inbox.Wait().kind == Kind::kMessage);
  inbox.Stop();
  inbox.DropStream();
  CHECK(inbox.Wait().kind == Kind::kStop);
}

}  // namespace
}  // namespace culvert::forwarder
