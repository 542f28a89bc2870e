#include "broker/legacy_channels.h"

#include <fmt/format.h>

#include "tests/support/catch.h"

namespace culvert::broker {
namespace {

using std::chrono::seconds;

struct LegacyFixture {
  LegacyChannels channels;
  MonotonicTime now = MonotonicTime(std::chrono::hours(1));

  static OpenChannel Of(const std::string& consumer) {
    OpenChannel open;
    open.provider = {"projects/default", "here", "", "edge-1"};
    open.consumer = consumer;
    return open;
  }
  void Keep(const std::string& consumer, uint64_t channel) {
    Resumption last;
    last.session_id = 1;
    last.channel_id = channel;
    channels.Keep(Of(consumer), last, now);
  }
  bool Has(uint64_t channel) { return channels.Find(channel, now) != nullptr; }
};

TEST_CASE_METHOD(LegacyFixture, "LegacyChannels keeps a channel for a minute", "[legacy]") {
  Keep("alice", 1);
  now += seconds(60);
  CHECK(Has(1));
  now += seconds(1);
  CHECK_FALSE(Has(1));
  CHECK(channels.size() == 0);
}

TEST_CASE_METHOD(LegacyFixture, "LegacyChannels counts the minute from the last loss", "[legacy]") {
  Keep("alice", 1);
  now += seconds(50);
  Keep("alice", 1);
  now += seconds(50);
  CHECK(Has(1));
  CHECK(channels.size() == 1);
}

TEST_CASE_METHOD(LegacyFixture, "LegacyChannels keeps the newest 64 of a consumer", "[legacy]") {
  Keep("bob", 1'000);
  for (uint64_t i = 1; i <= LegacyChannels::kMostPerConsumer + 1; ++i) Keep("alice", i);
  CHECK_FALSE(Has(1));
  CHECK(Has(2));
  CHECK(Has(LegacyChannels::kMostPerConsumer + 1));
  CHECK(Has(1'000));
  // What was forgotten makes room.
  channels.Forget(2);
  Keep("alice", 500);
  CHECK(Has(3));
}

TEST_CASE_METHOD(LegacyFixture, "LegacyChannels keeps the newest 4,096 of all", "[legacy]") {
  for (uint64_t i = 1; i <= LegacyChannels::kMost + 1; ++i) Keep(fmt::format("user-{}", i), i);
  CHECK(channels.size() == LegacyChannels::kMost);
  CHECK_FALSE(Has(1));
  CHECK(Has(2));
}

TEST_CASE_METHOD(LegacyFixture, "Channel is the same only for who opened it", "[legacy]") {
  const OpenChannel open = Of("alice");
  ResumeChannel resume;
  resume.provider = open.provider;
  resume.consumer = "alice";
  resume.session_id = 1;
  CHECK(IsSameChannel(open, 1, resume, std::nullopt));
  SECTION("not in another session") { resume.session_id = 2; }
  SECTION("not under another name") { resume.consumer = "bob"; }
  SECTION("not in another project") { resume.provider.project = "projects/other"; }
  SECTION("not in another region") { resume.provider.region = "there"; }
  SECTION("not in another service domain") { resume.provider.service_domain = "example.com"; }
  SECTION("not at another provider") { resume.provider.name = "edge-2"; }
  CHECK_FALSE(IsSameChannel(open, 1, resume, std::nullopt));
}

TEST_CASE_METHOD(LegacyFixture, "Channel of a principal is nobody's of the same name", "[legacy]") {
  OpenChannel open = Of("alice");
  open.principal = Principal{
      *crypto::SpiffeId::Parse("spiffe://c.internal/project/default/user/alice"), "a key"};
  ResumeChannel resume;
  resume.provider = open.provider;
  resume.consumer = "alice";
  resume.session_id = 1;
  CHECK(IsSameChannel(open, 1, resume, open.principal));
  CHECK_FALSE(IsSameChannel(open, 1, resume, std::nullopt));
  // A JWT is another one each time.
  open.principal->key.clear();
  open.principal->token = BearerToken{"an issuer", "a key", WallTime()};
  const BearerToken newer{"an issuer", "a key", WallTime() + seconds(1)};
  CHECK(IsSameChannel(open, 1, resume, Principal{open.principal->id, "", newer}));
  CHECK_FALSE(IsSameChannel(open, 1, resume, Principal{open.principal->id, "another key"}));
}

}  // namespace
}  // namespace culvert::broker
