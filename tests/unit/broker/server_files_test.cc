#include "broker/server_files.h"

#include <sys/stat.h>

#include "base/status.h"
#include "tests/support/catch.h"
#include "tests/support/temp_directory.h"

namespace culvert::broker {
namespace {

TEST_CASE("Broker's own key is made once", "[server_files]") {
  const test::TempDirectory directory;
  const auto made = KeepServerKey(directory.path());
  REQUIRE(made.ok());
  CHECK(KeepServerKey(directory.path())->public_key() == made->public_key());
}

TEST_CASE("Broker's own key that cannot be used is told, and no other one is made",
          "[server_files]") {
  const test::TempDirectory directory;
  const std::string path = directory.File("server-key.pem");
  const auto made = KeepServerKey(directory.path());
  REQUIRE(made.ok());
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  const auto open_to_others = KeepServerKey(directory.path());
  CHECK(absl::IsFailedPrecondition(open_to_others.status()));
  CHECK(MessageOf(open_to_others.status()).find("make it 0600") != std::string_view::npos);
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  CHECK(KeepServerKey(directory.path())->public_key() == made->public_key());

  directory.Write("server-key.pem", "no key");
  CHECK_FALSE(KeepServerKey(directory.path()).ok());
}

}  // namespace
}  // namespace culvert::broker
