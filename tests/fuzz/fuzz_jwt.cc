// Whatever parses as a JWT must be what it says, and no key that is known here has signed it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "crypto/jwt.h"

namespace {

// RFC 7515, appendices A.2 and A.3: whose private halves everybody knows, but not their tokens of
// tomorrow.
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto keys = culvert::crypto::JwkSet::FromJson(kKeys);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto jwt = culvert::crypto::Jwt::Parse(text);
  if (!jwt.ok()) return 0;
  CULVERT_CHECK(size <= culvert::crypto::Jwt::kMostBytes);
  CULVERT_CHECK(!jwt->claimed_issuer().empty());
  const auto claims = jwt->Verify(*keys);
  if (claims.ok()) {
    CheckClaims(*claims, {"joe", {"culvert"}, std::chrono::hours(1)}, culvert::WallNow())
        .IgnoreError();
  }
  return 0;
}
