// Page tokens: where a page of a list begins, kept by the client and sealed for the one server (or
// the servers that share the key) and the one list: the same method, filter and order. Any thread.
//
// The text is that of the public protocol's cursors, `<l|r>.<i|e>.C.<key>:<value>,…`: to the left
// or the right of the border, with it or without, and of their three types always Custom, with the
// sort key of the border and the code that authenticates all of it. Tokens do not end; what has
// become of the border meanwhile does not matter.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace culvert::resource {

struct PageCursor {
  enum class Direction { kLeft, kRight };
  enum class Border { kIncluded, kExcluded };

  Direction direction = Direction::kRight;
  Border border = Border::kExcluded;
  std::string sort_key;  // OrderBy::Key of a resource

  // What is on the other side: the cursor of the page before, if this one's is of a page.
  PageCursor Reversed() const;
  friend bool operator==(const PageCursor&, const PageCursor&) = default;
};

// What a token is good for.
struct PageBinding {
  std::string method;    // "ListProjects", and the parent if there is one
  std::string filter;    // Filter::ToString()
  std::string order_by;  // OrderBy::ToString()
};

class PageTokens {
 public:
  static constexpr size_t kMostBytes = 4096;

  // `key` is secret, of 16 bytes at least. With a new one, all earlier tokens are refused.
  explicit PageTokens(std::string key);

  // At most kMostBytes for every key of an OrderBy.
  std::string Seal(const PageCursor& cursor, const PageBinding& binding) const;
  // INVALID_ARGUMENT for what is no cursor ("invalid cursor format"), and for what this did not
  // seal with this binding.
  absl::StatusOr<PageCursor> Open(std::string_view token, const PageBinding& binding) const;

 private:
  std::string Code(const PageCursor& cursor, const PageBinding& binding) const;

  std::string key_;
};

}  // namespace culvert::resource
