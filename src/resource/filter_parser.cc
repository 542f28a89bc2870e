#include "resource/filter_parser.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "resource/filter_binding.h"
#include "resource/filter_lexer.h"

namespace culvert::resource {
namespace {

using google::protobuf::Descriptor;
using Kind = FilterNode::Kind;

// By recursive descent, one method for each rule of the grammar.
class Parser {
 public:
  Parser(std::vector<Token> tokens, const Descriptor& type)
      : tokens_(std::move(tokens)), type_(type) {}

  absl::StatusOr<FilterNode> All();

 private:
  // What stands behind a path.
  struct Question {
    Comparator comparator = Comparator::kEqual;
    std::vector<Literal> literals;
  };

  absl::StatusOr<FilterNode> Or();
  absl::StatusOr<FilterNode> And();
  absl::StatusOr<FilterNode> Condition();
  absl::StatusOr<FilterNode> Rest(FieldPath path, size_t column);
  absl::StatusOr<Question> OneQuestion();
  absl::StatusOr<Question> AboutNothing();  // IS …
  absl::StatusOr<Question> AboutValue(Comparator comparator);
  absl::StatusOr<Question> AboutList(Comparator comparator);
  absl::StatusOr<std::vector<Literal>> List();
  absl::StatusOr<Literal> OneValue();
  absl::StatusOr<Literal> Object();

  const Token& Front() const { return tokens_[at_]; }
  const Token& Behind() const { return tokens_[at_ + (at_ + 1 < tokens_.size() ? 1 : 0)]; }
  bool TakeWord(std::string_view keyword);
  bool TakePunctuation(char c);
  absl::Status Expected(std::string_view what) const;
  absl::Status Enter();
  void Leave() { --depth_; }
  absl::Status Count();

  const std::vector<Token> tokens_;
  const Descriptor& type_;
  size_t at_ = 0;
  int depth_ = 0;
  int nodes_ = 0;
};

bool Parser::TakeWord(std::string_view keyword) {
  if (!Front().IsWord(keyword)) return false;
  ++at_;
  return true;
}

bool Parser::TakePunctuation(char c) {
  if (!Front().IsPunctuation(c)) return false;
  ++at_;
  return true;
}

absl::Status Parser::Expected(std::string_view what) const {
  const bool is_end = Front().kind == TokenKind::kEnd;
  return FilterError(Front().column,
                     is_end ? fmt::format("{} expected at the end", what)
                            : fmt::format("{} expected, not '{}'", what, Printable(Front().text)));
}

absl::Status Parser::Enter() {
  if (++depth_ <= Filter::kMostDepth) return absl::OkStatus();
  return FilterError(Front().column, fmt::format("nested more than {} deep", Filter::kMostDepth));
}

absl::Status Parser::Count() {
  if (++nodes_ <= Filter::kMostNodes) return absl::OkStatus();
  return FilterError(Front().column,
                     fmt::format("more than {} conditions and values", Filter::kMostNodes));
}

// Puts what is of the same kind into one node, so that parentheses leave no trace.
FilterNode Joined(Kind kind, std::vector<FilterNode> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  FilterNode node{kind, {}, {}};
  for (FilterNode& part : parts) {
    if (part.kind != kind) {
      node.children.push_back(std::move(part));
      continue;
    }
    for (FilterNode& child : part.children) node.children.push_back(std::move(child));
  }
  return node;
}

absl::StatusOr<FilterNode> Parser::All() {
  if (Front().kind == TokenKind::kEnd) return FilterNode{};
  if (Front().IsPunctuation('(') && Behind().IsPunctuation(')')) {
    at_ += 2;
    if (Front().kind != TokenKind::kEnd) return Expected("nothing");
    return FilterNode{};
  }
  CULVERT_ASSIGN_OR_RETURN(FilterNode root, Or());
  if (Front().kind != TokenKind::kEnd) return Expected("AND, OR or the end");
  return root;
}

absl::StatusOr<FilterNode> Parser::Or() {
  std::vector<FilterNode> parts;
  do {
    CULVERT_ASSIGN_OR_RETURN(FilterNode part, And());
    parts.push_back(std::move(part));
  } while (TakeWord("OR") || TakePunctuation('|'));
  return Joined(Kind::kOr, std::move(parts));
}

absl::StatusOr<FilterNode> Parser::And() {
  std::vector<FilterNode> parts;
  bool goes_on = true;
  while (goes_on) {
    CULVERT_ASSIGN_OR_RETURN(FilterNode part, Condition());
    parts.push_back(std::move(part));
    const bool is_next =
        (Front().kind == TokenKind::kWord && !Front().IsWord("OR")) || Front().IsPunctuation('(');
    goes_on = TakeWord("AND") || TakePunctuation('+') || is_next;
  }
  return Joined(Kind::kAnd, std::move(parts));
}

absl::StatusOr<FilterNode> Parser::Condition() {
  CULVERT_RETURN_IF_ERROR(Count());
  if (TakeWord("NOT")) {
    CULVERT_RETURN_IF_ERROR(Enter());
    CULVERT_ASSIGN_OR_RETURN(FilterNode inner, Condition());
    Leave();
    FilterNode node{Kind::kNot, {}, {}};
    node.children.push_back(std::move(inner));
    return node;
  }
  if (TakePunctuation('(')) {
    CULVERT_RETURN_IF_ERROR(Enter());
    CULVERT_ASSIGN_OR_RETURN(FilterNode inner, Or());
    Leave();
    if (!TakePunctuation(')')) return Expected("AND, OR or ')'");
    return inner;
  }
  if (Front().kind != TokenKind::kWord) return Expected("a condition");
  const Token word = Front();
  auto path = FieldPath::Parse(word.text, type_);
  if (!path.ok()) return FilterError(word.column, MessageOf(path.status()));
  ++at_;
  return Rest(*std::move(path), word.column);
}

std::optional<Comparator> ComparatorOf(std::string_view text) {
  constexpr std::pair<std::string_view, Comparator> kComparators[] = {
      {"=", Comparator::kEqual},          {"==", Comparator::kEqual},
      {"!=", Comparator::kNotEqual},      {"<", Comparator::kLess},
      {"<=", Comparator::kLessOrEqual},   {">", Comparator::kGreater},
      {">=", Comparator::kGreaterOrEqual}};
  for (const auto& [spelling, comparator] : kComparators) {
    if (text == spelling) return comparator;
  }
  return std::nullopt;
}

absl::StatusOr<FilterNode> Parser::Rest(FieldPath path, size_t column) {
  CULVERT_ASSIGN_OR_RETURN(const Question question, OneQuestion());
  CULVERT_ASSIGN_OR_RETURN(Comparison bound,
                           Bind(std::move(path), column, question.comparator, question.literals));
  FilterNode node{Kind::kComparison, {}, {}};
  node.comparison = std::move(bound);
  return node;
}

absl::StatusOr<Parser::Question> Parser::OneQuestion() {
  if (Front().kind == TokenKind::kOperator) {
    const auto comparator = ComparatorOf(Front().text);
    if (!comparator) return Expected("one of = == != < <= > >=");
    ++at_;
    return AboutValue(*comparator);
  }
  if (TakeWord("IS")) return AboutNothing();
  if (TakeWord("IN")) return AboutList(Comparator::kIn);
  if (Front().IsWord("NOT") && Behind().IsWord("IN")) {
    at_ += 2;
    return AboutList(Comparator::kNotIn);
  }
  if (TakeWord("CONTAINS") || TakeWord("CONTAIN") || TakeWord("HAS") || TakeWord("HAVE")) {
    if (TakeWord("ANY")) return AboutList(Comparator::kContainsAny);
    if (TakeWord("ALL")) return AboutList(Comparator::kContainsAll);
    TakeWord("VALUE");
    return AboutValue(Comparator::kContains);
  }
  if (!TakeWord("LIKE")) return Expected("=, !=, <, <=, >, >=, IS, [NOT] IN, CONTAINS or LIKE");
  if (Front().kind != TokenKind::kString) return Expected("a pattern in double quotes");
  return AboutValue(Comparator::kLike);
}

absl::StatusOr<Parser::Question> Parser::AboutNothing() {
  const bool is_negated = TakeWord("NOT");
  if (TakeWord("NULL")) {
    return Question{is_negated ? Comparator::kIsNotNull : Comparator::kIsNull, {}};
  }
  if (!TakeWord("NAN")) return Expected("NULL or NAN");
  return Question{is_negated ? Comparator::kIsNotNan : Comparator::kIsNan, {}};
}

absl::StatusOr<Parser::Question> Parser::AboutValue(Comparator comparator) {
  CULVERT_ASSIGN_OR_RETURN(Literal value, OneValue());
  Question question{comparator, {}};
  question.literals.push_back(std::move(value));
  return question;
}

absl::StatusOr<Parser::Question> Parser::AboutList(Comparator comparator) {
  CULVERT_ASSIGN_OR_RETURN(std::vector<Literal> values, List());
  return Question{comparator, std::move(values)};
}

absl::StatusOr<std::vector<Literal>> Parser::List() {
  const char closing = Front().IsPunctuation('[') ? ']' : ')';
  if (!TakePunctuation('(') && !TakePunctuation('[')) return Expected("a list in parentheses");
  std::vector<Literal> values;
  do {
    if (values.size() == Filter::kMostListed) {
      return FilterError(Front().column,
                         fmt::format("more than {} values in a list", Filter::kMostListed));
    }
    CULVERT_ASSIGN_OR_RETURN(Literal value, OneValue());
    values.push_back(std::move(value));
  } while (TakePunctuation(','));
  if (!TakePunctuation(closing)) return Expected(closing == ']' ? "',' or ']'" : "',' or ')'");
  return values;
}

absl::StatusOr<Literal> Parser::OneValue() {
  CULVERT_RETURN_IF_ERROR(Count());
  const Token& token = Front();
  Literal literal;
  literal.column = token.column;
  if (TakeWord("NULL")) return literal;
  if (token.IsWord("TRUE") || token.IsWord("FALSE")) {
    literal.kind = Literal::Kind::kBool;
    literal.truth = TakeWord("TRUE");
    if (!literal.truth) ++at_;
    return literal;
  }
  if (token.kind == TokenKind::kNumber) {
    ++at_;
    return NumberLiteral(token.text, token.column);
  }
  if (token.kind == TokenKind::kString) {
    ++at_;
    literal.kind = Literal::Kind::kString;
    literal.text = token.text;
    return literal;
  }
  if (token.IsPunctuation('{')) return Object();
  if (token.kind == TokenKind::kWord) return Expected("a value (strings are in double quotes)");
  return Expected("a value");
}

absl::StatusOr<Literal> Parser::Object() {
  Literal object;
  object.kind = Literal::Kind::kObject;
  object.column = Front().column;
  CULVERT_RETURN_IF_ERROR(Enter());
  ++at_;
  while (!TakePunctuation('}')) {
    if (!object.keys.empty()) TakePunctuation(',');
    CULVERT_ASSIGN_OR_RETURN(Literal key, OneValue());
    TakePunctuation(':');
    CULVERT_ASSIGN_OR_RETURN(Literal value, OneValue());
    object.keys.push_back(std::move(key));
    object.values.push_back(std::move(value));
  }
  Leave();
  return object;
}

}  // namespace

absl::StatusOr<FilterNode> ParseFilter(std::string_view text, const Descriptor& type) {
  CULVERT_ASSIGN_OR_RETURN(std::vector<Token> tokens, SplitFilter(text));
  return Parser(std::move(tokens), type).All();
}

}  // namespace culvert::resource
