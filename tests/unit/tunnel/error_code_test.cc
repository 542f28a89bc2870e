#include "tunnel/error_code.h"

#include <set>
#include <string>

#include "tests/support/catch.h"

namespace culvert::tunnel {
namespace {

constexpr uint32_t kLast = static_cast<uint32_t>(ErrorCode::kExpired);

TEST_CASE("Each ErrorCode has the number of the protos and words of its own", "[error_code]") {
  std::set<std::string_view> words;
  for (uint32_t number = 0; number <= kLast; ++number) {
    const ErrorCode code = ErrorCodeFromNumber(number);
    CHECK(static_cast<uint32_t>(code) == number);
    CHECK(words.insert(ErrorCodeText(code)).second);
  }
}

TEST_CASE("A number that is not known is the unspecified ErrorCode", "[error_code]") {
  CHECK(ErrorCodeFromNumber(kLast + 1) == ErrorCode::kUnspecified);
  CHECK(ErrorCodeFromNumber(UINT32_MAX) == ErrorCode::kUnspecified);
}

TEST_CASE("The words of an ErrorCode are those that users read", "[error_code]") {
  CHECK(ErrorCodeText(ErrorCode::kRefused) == "connection refused");
  CHECK(ErrorCodeText(ErrorCode::kUnspecified) == "error");
  CHECK(ErrorCodeText(static_cast<ErrorCode>(kLast + 1)) == "error");
}

}  // namespace
}  // namespace culvert::tunnel
