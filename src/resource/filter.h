// Which resources a list or a watch is about. A value; any thread. It refers to the descriptor that
// it was parsed with, which must stay (generated ones always do).
//
//   metadata.labels.env = "prod" AND (metadata.generation > 3 OR NOT name LIKE "projects/lab-%")
//
// The grammar, in which keywords and field paths (field_path.h) are in any case:
//
//   Filter = "" | "()" | Or            Or = And { ("OR" | "|") And }
//   And    = Cond { ["AND" | "+"] Cond }
//   Cond   = "NOT" Cond | "(" Or ")" | Path Rest
//   Rest   = ("=" | "==" | "!=" | "<" | "<=" | ">" | ">=") Value | "IS" ["NOT"] ("NULL" | "NAN")
//          | ["NOT"] "IN" List | "LIKE" String
//          | ("CONTAINS" | "CONTAIN" | "HAS" | "HAVE") ("ANY" List | "ALL" List | ["VALUE"] Value)
//   List   = "(" Value {"," Value} ")" | "[" Value {"," Value} "]"
//   Value  = "NULL" | "TRUE" | "FALSE" | Number | String | "{" [Value [":"] Value {[","] …}] "}"
//
// "--" begins a comment, which ends with the line. `x = NULL` is `x IS NULL`, also where x is not
// set, an empty list or an empty map. Times are strings (RFC 3339); enums are names or numbers; the
// name of the resource may have "-" for any segment in a value of =, != and IN. A message equals
// {…} if that is its JSON, a map if the entries are the same. A list contains a value, a map a key
// ("k") or entries ({"k": "v"}). A comparison (=, !=, <, …, LIKE, CONTAINS) with what is not set,
// or with NaN, does not match; IS NOT NAN, NOT IN and NOT turn around what they negate, and then
// do.
//
// Limits: 8 KiB, also once written out in full; parentheses, NOTs and braces 32 deep; 1,000
// conditions and values; 100 values in a list. Messages of errors say the column.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "resource/field_path.h"
#include "resource/value.h"

namespace culvert::resource {

struct ObjectLiteral;

// What a path is compared with: a value of the path's type, or an object for a message or a map.
struct Operand {
  Value value;
  std::shared_ptr<const ObjectLiteral> object;
  friend bool operator==(const Operand& a, const Operand& b);
};

// Either of the two is there, as the path is a message or a map.
struct ObjectLiteral {
  std::string text;  // as ToString() has it
  std::unique_ptr<google::protobuf::Message> message;
  std::map<std::string, Operand> entries;
};

enum class Comparator {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kIn,
  kNotIn,
  kIsNull,
  kIsNotNull,
  kIsNan,
  kIsNotNan,
  kContains,
  kContainsAny,
  kContainsAll,
  kLike,
};

// A path, what is asked of it, and the values: none for IS, several for IN and CONTAINS ANY or ALL.
struct Comparison {
  FieldPath path;
  Comparator comparator = Comparator::kEqual;
  std::vector<Operand> operands;
  friend bool operator==(const Comparison&, const Comparison&) = default;
};

struct FilterNode {
  enum class Kind { kEverything, kAnd, kOr, kNot, kComparison };
  Kind kind = Kind::kEverything;
  std::vector<FilterNode> children;  // two or more of kAnd and kOr, of another kind; one of kNot
  std::optional<Comparison> comparison;
  friend bool operator==(const FilterNode&, const FilterNode&) = default;
};

class Filter {
 public:
  static constexpr size_t kMostBytes = 8192;
  static constexpr int kMostDepth = 32;
  static constexpr int kMostNodes = 1000;
  static constexpr size_t kMostListed = 100;

  // INVALID_ARGUMENT for what is no filter of resources of `type`, in one line.
  static absl::StatusOr<Filter> Parse(std::string_view text,
                                      const google::protobuf::Descriptor& type);

  // `message` is of the type that the filter was parsed with.
  bool Matches(const google::protobuf::Message& message) const;

  // Conditions that every match meets, for a store that has an index: comparisons and IN with plain
  // values (never an object, never a name with "-"). Not all of the filter: ask Matches() too.
  std::vector<Comparison> conjuncts() const;

  const FilterNode& root() const { return root_; }

  // One spelling of the same filter, which parses to the same tree; empty for everything.
  const std::string& ToString() const { return text_; }
  friend bool operator==(const Filter& a, const Filter& b) { return a.root_ == b.root_; }

 private:
  FilterNode root_;
  std::string text_;
};

// The parts of Filter: whether one comparison holds, and the text of a tree.
bool MatchesComparison(const Comparison& comparison, const google::protobuf::Message& message);
std::string FilterText(const FilterNode& node);
// In double quotes, with escapes.
std::string Quoted(std::string_view text);

}  // namespace culvert::resource
