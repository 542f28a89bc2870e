#include "crypto/private_file.h"

#include <unistd.h>

#include "tests/support/temp_directory.h"

namespace culvert::test {
namespace {

constexpr uid_t kSomebody = 65534;
constexpr uid_t kSomebodyElse = 65533;

bool Give(const std::string& path, uid_t owner) { return chown(path.c_str(), owner, owner) == 0; }

TEST_CASE("Root reads what a user keeps in a directory of the same user", "[private_file]") {
  if (geteuid() != 0) return;  // nobody else can give files away
  const TempDirectory directory;
  const std::string file = directory.File("identity.pem");
  REQUIRE(crypto::WritePrivateFile(file, "secret").ok());
  REQUIRE(Give(file, kSomebody));
  const auto read = [&] { return crypto::ReadPrivateFile(file, 100); };
  CHECK(absl::IsFailedPrecondition(read().status()));
  REQUIRE(Give(directory.path(), kSomebodyElse));
  CHECK(absl::IsFailedPrecondition(read().status()));
  REQUIRE(Give(directory.path(), kSomebody));
  REQUIRE(read().ok());
  CHECK(*read() == "secret");
}

TEST_CASE("A private file is removed, and one that is not there is not missed", "[private_file]") {
  const TempDirectory directory;
  const std::string file = directory.File("key.pem");
  REQUIRE(crypto::WritePrivateFile(file, "secret").ok());
  CHECK(crypto::RemovePrivateFile(file).ok());
  CHECK(absl::IsNotFound(crypto::ReadPrivateFile(file, 100).status()));
  CHECK(crypto::RemovePrivateFile(file).ok());
  CHECK_FALSE(crypto::RemovePrivateFile(directory.path()).ok());
}

}  // namespace
}  // namespace culvert::test
