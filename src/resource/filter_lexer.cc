#include "resource/filter_lexer.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"

namespace culvert::resource {
namespace {

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool StartsName(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool IsInName(char c) { return StartsName(c) || IsDigit(c) || c == '-' || c == '/'; }
bool IsInNumber(char c) { return IsDigit(c) || c == '.'; }
bool IsInOperator(char c) { return c == '<' || c == '>' || c == '=' || c == '!'; }

// Bytes of a UTF-8 character that begins with `first`; 0 if none does.
size_t Utf8BytesOf(unsigned first) {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none.
size_t Utf8Bytes(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const size_t size = Utf8BytesOf(first);
  if (size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  }
  // Too long a form, a surrogate, or beyond the last character.
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) {
    return 0;
  }
  return size;
}

void AppendUtf8(uint32_t point, std::string* out) {
  const auto tail = [out](uint32_t bits) { *out += static_cast<char>(0x80U | (bits & 0x3fU)); };
  if (point < 0x80) {
    *out += static_cast<char>(point);
  } else if (point < 0x800) {
    *out += static_cast<char>(0xc0U | (point >> 6));
    tail(point);
  } else if (point < 0x10000) {
    *out += static_cast<char>(0xe0U | (point >> 12));
    tail(point >> 6);
    tail(point);
  } else {
    *out += static_cast<char>(0xf0U | (point >> 18));
    tail(point >> 12);
    tail(point >> 6);
    tail(point);
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    do {
      SkipBlank();
      CULVERT_ASSIGN_OR_RETURN(Token token, Next());
      tokens.push_back(std::move(token));
    } while (tokens.back().kind != TokenKind::kEnd);
    return tokens;
  }

 private:
  char At(size_t offset) const { return at_ + offset < text_.size() ? text_[at_ + offset] : '\0'; }
  void SkipBlank();
  absl::StatusOr<Token> Next();
  absl::StatusOr<Token> NextString();
  absl::Status Escape(std::string* out);
  size_t WordEnd() const;
  size_t NumberEnd() const;
  size_t EndOf(bool (*is_in)(char)) const;
  Token Take(TokenKind kind, size_t end);

  const std::string_view text_;
  size_t at_ = 0;
};

void Lexer::SkipBlank() {
  while (at_ < text_.size()) {
    if (std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    } else if (text_.substr(at_, 2) == "--") {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      return;
    }
  }
}

size_t Lexer::EndOf(bool (*is_in)(char)) const {
  size_t end = at_;
  while (end < text_.size() && is_in(text_[end])) ++end;
  return end;
}

size_t Lexer::WordEnd() const {
  for (size_t end = at_;;) {
    while (end < text_.size() && IsInName(text_[end])) ++end;
    const size_t dot = text_.substr(end, 2) == "\\." ? 2 : text_.substr(end, 1) == "." ? 1 : 0;
    if (dot == 0 || end + dot >= text_.size() || !StartsName(text_[end + dot])) return end;
    end += dot;
  }
}

size_t Lexer::NumberEnd() const {
  size_t end = at_ + (At(0) == '-' || At(0) == '+' ? 1 : 0);
  while (end < text_.size() && IsInNumber(text_[end])) ++end;
  if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
    size_t digits = end + 1;
    if (digits < text_.size() && (text_[digits] == '-' || text_[digits] == '+')) ++digits;
    if (digits < text_.size() && IsDigit(text_[digits])) {
      end = digits;
      while (end < text_.size() && IsDigit(text_[end])) ++end;
    }
  }
  return end;
}

Token Lexer::Take(TokenKind kind, size_t end) {
  Token token{kind, std::string(text_.substr(at_, end - at_)), at_ + 1};
  at_ = end;
  return token;
}

absl::StatusOr<Token> Lexer::Next() {
  if (at_ == text_.size()) return Take(TokenKind::kEnd, at_);
  const char c = text_[at_];
  if (StartsName(c)) {
    Token word = Take(TokenKind::kWord, WordEnd());
    word.text.erase(std::remove(word.text.begin(), word.text.end(), '\\'), word.text.end());
    return word;
  }
  if (c == '"') return NextString();
  if (IsInOperator(c)) return Take(TokenKind::kOperator, EndOf(IsInOperator));
  if (IsInNumber(c) || ((c == '-' || c == '+') && IsInNumber(At(1)))) {
    return Take(TokenKind::kNumber, NumberEnd());
  }
  return Take(TokenKind::kPunctuation, at_ + 1);
}

absl::StatusOr<Token> Lexer::NextString() {
  Token token{TokenKind::kString, {}, at_ + 1};
  for (++at_; at_ < text_.size();) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return token;
    }
    if (c == '\\') {
      CULVERT_RETURN_IF_ERROR(Escape(&token.text));
      continue;
    }
    const size_t bytes = Utf8Bytes(text_.substr(at_));
    if (bytes == 0 || absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return FilterError(at_ + 1, "a string is UTF-8, its control characters escaped such as \\n");
    }
    token.text += text_.substr(at_, bytes);
    at_ += bytes;
  }
  return FilterError(token.column, "the string that begins here lacks its closing quote");
}

absl::Status Lexer::Escape(std::string* out) {
  constexpr std::string_view kNames = "abfnrtv\\\"";
  constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\\"";
  const char kind = At(1);
  if (const size_t found = kNames.find(kind); found != std::string_view::npos) {
    *out += kBytes[found];
    at_ += 2;
    return absl::OkStatus();
  }
  const size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
  const std::string_view hex = text_.substr(std::min(at_ + 2, text_.size()), digits);
  uint32_t point = 0;
  for (const char digit : hex) {
    const size_t value = std::string_view("0123456789abcdef")
                             .find(absl::ascii_tolower(static_cast<unsigned char>(digit)));
    if (value == std::string_view::npos || point >= 1U << 28) {
      return FilterError(at_ + 1, "no such escape in a string; a backslash is written \\\\");
    }
    point = point << 4 | static_cast<uint32_t>(value);
  }
  const bool is_character = point < 0xd800 || (point >= 0xe000 && point < 0x110000);
  // "\xe9" would be half of a character.
  if (digits == 0 || hex.size() != digits || !is_character || (kind == 'x' && point >= 0x80)) {
    return FilterError(at_ + 1, "no such escape in a string; a backslash is written \\\\");
  }
  AppendUtf8(point, out);
  at_ += 2 + digits;
  return absl::OkStatus();
}

}  // namespace

bool Token::IsWord(std::string_view keyword) const {
  return kind == TokenKind::kWord &&
         absl::EqualsIgnoreCase(text, absl::string_view(keyword.data(), keyword.size()));
}

absl::StatusOr<std::vector<Token>> SplitFilter(std::string_view text) { return Lexer(text).Run(); }

absl::Status FilterError(size_t column, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("filter, column {}: {}", column, what));
}

}  // namespace culvert::resource
