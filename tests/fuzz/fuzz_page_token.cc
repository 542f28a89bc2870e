// Page tokens as clients hand them in: no crash, nothing opens that was not sealed, and what was
// sealed opens as it was, and not with a changed byte. The first three bytes say which byte is
// changed and which cursor is sealed; the rest is a token, and a sort key.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "resource/page_token.h"

using culvert::resource::PageBinding;
using culvert::resource::PageCursor;
using culvert::resource::PageTokens;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const PageTokens tokens{std::string(16, 'k')};
  static const PageBinding binding{"ListProjects", "", "name"};
  if (size < 3) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  CULVERT_CHECK(absl::IsInvalidArgument(tokens.Open(rest, binding).status()));

  PageCursor cursor;
  if ((data[2] & 1U) != 0) cursor.direction = PageCursor::Direction::kLeft;
  if ((data[2] & 2U) != 0) cursor.border = PageCursor::Border::kIncluded;
  cursor.sort_key = rest;
  std::string token = tokens.Seal(cursor, binding);
  const auto opened = tokens.Open(token, binding);
  if (token.size() > PageTokens::kMostBytes) {
    CULVERT_CHECK(!opened.ok());
    return 0;
  }
  CULVERT_CHECK(opened.ok());
  CULVERT_CHECK(*opened == cursor);
  token[(data[0] + 256U * data[1]) % token.size()] ^= 1;
  CULVERT_CHECK(absl::IsInvalidArgument(tokens.Open(token, binding).status()));
  return 0;
}
