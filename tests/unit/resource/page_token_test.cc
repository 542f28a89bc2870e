#include "resource/page_token.h"

#include <string>

#include "base/status.h"
#include "resource/order_by.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

using Direction = PageCursor::Direction;
using Border = PageCursor::Border;

const PageBinding kBinding{"ListProjects", "metadata.generation > 3", "name"};
const PageCursor kCursor{Direction::kRight, Border::kExcluded, std::string("\1key.\0,:\xff", 9)};

PageTokens Tokens() { return PageTokens(std::string(16, 'k')); }

std::string Refusal(const std::string& token, const PageBinding& binding = kBinding) {
  const auto opened = Tokens().Open(token, binding);
  CAPTURE(token, opened.status().ToString());
  CHECK(absl::IsInvalidArgument(opened.status()));
  return std::string(MessageOf(opened.status()));
}

TEST_CASE("A page token opens as it was sealed", "[page_token]") {
  const auto direction = GENERATE(Direction::kLeft, Direction::kRight);
  const auto border = GENERATE(Border::kIncluded, Border::kExcluded);
  const PageCursor cursor{direction, border, kCursor.sort_key};
  const std::string token = Tokens().Seal(cursor, kBinding);
  const auto opened = Tokens().Open(token, kBinding);
  REQUIRE(opened.ok());
  CHECK(*opened == cursor);
  CHECK(opened->Reversed().Reversed() == cursor);
  CHECK(opened->Reversed().direction != cursor.direction);
  CHECK(opened->Reversed().border != cursor.border);
}

TEST_CASE("A page token has the form of the public protocol's cursors", "[page_token]") {
  const std::string token = Tokens().Seal(kCursor, kBinding);
  CHECK(token.substr(0, 9) == "r.e.C.aw:");
  CHECK(std::count(token.begin(), token.end(), '.') == 3);
  CHECK(token.find(",bQ:") != std::string::npos);
}

TEST_CASE("A page token is refused with any byte changed, added or missing", "[page_token]") {
  const std::string token = Tokens().Seal(kCursor, kBinding);
  for (size_t i = 0; i < token.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = token;
      changed[i] = static_cast<char>(byte);
      CAPTURE(changed);
      REQUIRE((changed == token || !Tokens().Open(changed, kBinding).ok()));
    }
    REQUIRE_FALSE(Tokens().Open(token.substr(0, i), kBinding).ok());
    std::string shorter = token;
    REQUIRE_FALSE(Tokens().Open(shorter.erase(i, 1), kBinding).ok());
    std::string longer = token;
    REQUIRE_FALSE(Tokens().Open(longer.insert(i, "A"), kBinding).ok());
  }
  CHECK_FALSE(Tokens().Open(token + "=", kBinding).ok());
}

TEST_CASE("A page token is good for its own list and server only", "[page_token]") {
  const std::string token = Tokens().Seal(kCursor, kBinding);
  const std::string of_another = "page_token is of another request";
  CHECK(Refusal(token, {"WatchProjects", kBinding.filter, kBinding.order_by}).find(of_another) ==
        0);
  CHECK(Refusal(token, {kBinding.method, "", kBinding.order_by}).find(of_another) == 0);
  CHECK(Refusal(token, {kBinding.method, kBinding.filter, "name desc"}).find(of_another) == 0);
  // Nor where the parts, put together, are the same.
  CHECK(
      Refusal(token, {kBinding.method + kBinding.filter, "", kBinding.order_by}).find(of_another) ==
      0);
  CHECK_FALSE(PageTokens(std::string(16, 'K')).Open(token, kBinding).ok());
}

TEST_CASE("A page token that is none is refused", "[page_token]") {
  for (const char* token :
       {"", "x", "r.e.C", "r.e.C.x.y", "x.e.C.aw:,bQ:", "r.x.C.aw:,bQ:", "r.e.X.aw:,bQ:", "r.e.C.",
        "r.e.C.aw:AA", "r.e.C.bQ:,aw:", "r.e.C.aw:A,bQ:AA", "R.e.C.aw:,bQ:", "r.e.C.aw:,bQ:,aw:"}) {
    CHECK(Refusal(token) == "page_token: invalid cursor format");
  }
  for (const char* token : {"r.e.O.100", "l.i.S.CgR0ZXN0", "r.e.C.aw:,bQ:"}) {
    CHECK(Refusal(token).find("page_token is of another request") == 0);
  }
  CHECK(Refusal(std::string(4097, 'r')) == "page_token: more than 4096 bytes");
}

TEST_CASE("A page token of the longest key is within its limit", "[page_token]") {
  const std::string token =
      Tokens().Seal({Direction::kLeft, Border::kIncluded, std::string(2300, 'x')},
                    {"m", std::string(8192, 'f'), std::string(2048, 'o')});
  CHECK(token.size() <= PageTokens::kMostBytes);
}

}  // namespace
}  // namespace culvert::resource
