// Our error codes and those of the protos.
#include "culvert/error_code.h"

#include <algorithm>
#include <string>
#include <vector>

#include "culvert/v1/extensions.pb.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

struct Row {
  ErrorCode code;
  int number;
  std::string name;
  std::string text;
};

std::vector<Row> AllCodes() {
#define CULVERT_X(id, value, words) Row{ErrorCode::id, value, #id, words},
  return {CULVERT_ERROR_CODES(CULVERT_X)};
#undef CULVERT_X
}

// "kPathLost" and "ERROR_CODE_PATH_LOST" to "pathlost".
std::string Plain(std::string name, size_t prefix) {
  name.erase(0, prefix);
  name.erase(std::remove(name.begin(), name.end(), '_'), name.end());
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return name;
}

static_assert(static_cast<int>(ErrorCode::kUnspecified) == culvert::v1::ERROR_CODE_UNSPECIFIED);
static_assert(static_cast<int>(ErrorCode::kUnreachable) == culvert::v1::ERROR_CODE_UNREACHABLE);
static_assert(static_cast<int>(ErrorCode::kOffline) == culvert::v1::ERROR_CODE_OFFLINE);
static_assert(static_cast<int>(ErrorCode::kExpired) == culvert::v1::ERROR_CODE_EXPIRED);

TEST_CASE("Error codes have the names and numbers of culvert.v1.ErrorCode", "[error_code]") {
  const google::protobuf::EnumDescriptor& proto = *culvert::v1::ErrorCode_descriptor();
  CHECK(static_cast<int>(AllCodes().size()) == proto.value_count());
  for (const Row& row : AllCodes()) {
    INFO(row.name);
    const auto* value = proto.FindValueByNumber(row.number);
    REQUIRE(value != nullptr);
    CHECK(Plain(value->name(), std::string("ERROR_CODE_").size()) == Plain(row.name, 1));
  }
}

TEST_CASE("ErrorCodeOf gives back what ErrorStatus was made with", "[error_code]") {
  for (const Row& row : AllCodes()) {
    INFO(row.name);
    const absl::Status status = ErrorStatus(row.code, "why");
    CHECK_FALSE(status.ok());
    CHECK(ErrorCodeOf(status) == row.code);
    CHECK(std::string(status.message()) == "why");
    CHECK(ErrorCodeFromNumber(static_cast<uint32_t>(row.number)) == row.code);
    CHECK(ErrorCodeText(row.code) == row.text);
  }
}

TEST_CASE("Error code of an unknown number is none", "[error_code]") {
  CHECK(ErrorCodeFromNumber(25) == ErrorCode::kUnspecified);
  CHECK(ErrorCodeFromNumber(UINT32_MAX) == ErrorCode::kUnspecified);
  CHECK(ErrorCodeText(static_cast<ErrorCode>(25)) == "error");
}

TEST_CASE("ErrorCodeOf finds the nearest code of any other status", "[error_code]") {
  CHECK(ErrorCodeOf(absl::PermissionDeniedError("x")) == ErrorCode::kDenied);
  CHECK(ErrorCodeOf(absl::DeadlineExceededError("x")) == ErrorCode::kTimeout);
  CHECK(ErrorCodeOf(absl::ResourceExhaustedError("x")) == ErrorCode::kLimit);
  CHECK(ErrorCodeOf(absl::InternalError("x")) == ErrorCode::kInternal);
}

}  // namespace
}  // namespace culvert
