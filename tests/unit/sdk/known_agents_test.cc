#include "sdk/known_agents.h"

#include "base/status.h"
#include "crypto/key.h"
#include "tests/support/temp_directory.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("Known agents take no name that would spoil their file", "[known_agents]") {
  const TempDirectory directory;
  const KnownAgents known(directory.path());
  const std::string key = crypto::PrivateKey::Generate().public_key().id();
  REQUIRE(known.Add({"default/edge-1", key}).ok());
  for (const char* name :
       {"default/a b", "default/a\n", "default/a/b", "default/", "/a", "a", ""}) {
    CAPTURE(name);
    CHECK(absl::IsInvalidArgument(known.Add({name, key})));
    CHECK(absl::IsInvalidArgument(known.Replace({name, key})));
  }
  const auto entries = known.List();
  REQUIRE(entries.ok());
  CHECK(entries->size() == 1);
}

TEST_CASE("Known agents say where a key id is from", "[known_agents]") {
  const TempDirectory directory;
  const absl::Status bad = KnownAgents(directory.path()).Add({"default/edge-1", "short"});
  CHECK_THAT(std::string(MessageOf(bad)), Contains("as 'culvert-agent enroll' prints"));
}

}  // namespace
}  // namespace culvert::test
