#include "sdk/pending_key.h"

#include "base/status.h"
#include "crypto/private_file.h"
#include "tests/support/temp_directory.h"

namespace culvert::test {
namespace {

using Catch::Matchers::Contains;
using crypto::PrivateKey;

std::string EnrollingId(const std::string& state_dir, const std::string& token) {
  const auto key = EnrollingKey(state_dir, token);
  REQUIRE(key.ok());
  return key->public_key().id();
}

TEST_CASE("A token that is tried again brings the same key, and another token another one",
          "[pending_key]") {
  const TempDirectory directory;
  const std::string first = EnrollingId(directory.path(), "cvt1-first");
  CHECK(EnrollingId(directory.path(), "cvt1-first") == first);
  CHECK_THAT(directory.Read("enrolling.pem"), !Contains("cvt1-first"));
  CHECK(ModeOf(directory.File("enrolling.pem")) == 0600);
  const std::string second = EnrollingId(directory.path(), "cvt1-second");
  CHECK(second != first);
  CHECK(EnrollingId(directory.path(), "cvt1-first") != first);
  REQUIRE(ForgetEnrollingKey(directory.path()).ok());
  CHECK(ForgetEnrollingKey(directory.path()).ok());
  CHECK(EnrollingId(directory.path(), "cvt1-second") != second);
}

TEST_CASE("A key to enrol with of which no token is known is not used", "[pending_key]") {
  const TempDirectory directory;
  const PrivateKey old = PrivateKey::Generate();
  REQUIRE(crypto::WritePrivateFile(directory.File("enrolling.pem"), old.Pem()).ok());
  CHECK(EnrollingId(directory.path(), "cvt1-first") != old.public_key().id());
}

TEST_CASE("A key that is to follow is forgotten when it is refused, and no other one is",
          "[pending_key]") {
  const TempDirectory directory;
  const crypto::PublicKey present = PrivateKey::Generate().public_key();
  const auto id = [&] { return RenewingKey(directory.path(), present)->public_key(); };
  const crypto::PublicKey next = id();
  CHECK(id() == next);
  ForgetIfRefused(directory.path(), next, absl::UnavailableError("later"));
  ForgetIfRefused(directory.path(), present, absl::PermissionDeniedError("revoked"));
  CHECK(id() == next);
  ForgetIfRefused(directory.path(), next, absl::PermissionDeniedError("revoked"));
  CHECK(directory.Read("renewing.pem").empty());
  CHECK_FALSE(id() == next);
  REQUIRE(ForgetRenewingKey(directory.path()).ok());
  CHECK(directory.Read("renewing.pem").empty());
}

TEST_CASE("A pending key that cannot be read names its file", "[pending_key]") {
  const TempDirectory directory;
  REQUIRE(crypto::WritePrivateFile(directory.File("renewing.pem"), "no key").ok());
  const auto key = RenewingKey(directory.path(), PrivateKey::Generate().public_key());
  CHECK_THAT(std::string(MessageOf(key.status())), Contains(directory.File("renewing.pem")));
}

}  // namespace
}  // namespace culvert::test
