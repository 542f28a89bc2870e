// The words of a filter. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace culvert::resource {

enum class TokenKind {
  kWord,         // a keyword or a field path, "\." become "."
  kString,       // what stands between the quotes, without its escapes
  kNumber,       // as it is written
  kOperator,     // one or more of < > = !
  kPunctuation,  // any other byte
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  size_t column = 1;  // of its first byte, from 1

  bool IsWord(std::string_view keyword) const;  // in any case
  bool IsPunctuation(char c) const { return kind == TokenKind::kPunctuation && text[0] == c; }
};

// All words, with a kEnd behind them; comments and white space are left out. Escapes in strings are
// those of Go and C: \" \\ \n \t … \x41 \u00e9 \U0001f600. INVALID_ARGUMENT with the column for a
// string that does not end, is no UTF-8, has control characters or another escape. The caller
// bounds `text`.
absl::StatusOr<std::vector<Token>> SplitFilter(std::string_view text);

// INVALID_ARGUMENT, "filter, column 12: …".
absl::Status FilterError(size_t column, std::string_view what);

}  // namespace culvert::resource
