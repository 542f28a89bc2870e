#include "resource/filter_binding.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/charconv.h"
#include "absl/strings/numbers.h"
#include "base/log.h"
#include "base/status.h"
#include "resource/filter_lexer.h"
#include "resource/like.h"
#include "resource/resource_name.h"

namespace culvert::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using LiteralKind = Literal::Kind;

std::string JsonString(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      json += fmt::format("\\u{:04x}", byte);
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += c;
    }
  }
  return json + "\"";
}

enum class Notation { kFilter, kJson };

std::string TextOf(const Literal& literal, Notation notation) {
  const bool is_json = notation == Notation::kJson;
  switch (literal.kind) {
    case LiteralKind::kNull:
      return is_json ? "null" : "NULL";
    case LiteralKind::kBool:
      if (is_json) return literal.truth ? "true" : "false";
      return literal.truth ? "TRUE" : "FALSE";
    case LiteralKind::kInteger:
      return fmt::format("{}", literal.integer);
    case LiteralKind::kDouble:
      return fmt::format("{}", literal.real);
    case LiteralKind::kString:
      return is_json ? JsonString(literal.text) : Quoted(literal.text);
    case LiteralKind::kObject:
      break;
  }
  std::string text = "{";
  for (size_t i = 0; i < literal.keys.size(); ++i) {
    text += fmt::format("{}{}: {}", i == 0 ? "" : ", ", TextOf(literal.keys[i], notation),
                        TextOf(literal.values[i], notation));
  }
  return text + "}";
}

std::string_view Wanted(PathKind kind) {
  switch (kind) {
    case PathKind::kBool:
      return "TRUE or FALSE";
    case PathKind::kInteger:
    case PathKind::kDouble:
      return "a number, without quotes";
    case PathKind::kString:
      return "a string, in double quotes";
    case PathKind::kEnum:
      return "the name of one of its values, in double quotes";
    case PathKind::kTimestamp:
      return "a time such as \"2026-01-31T08:00:00Z\"";
    case PathKind::kMessage:
    case PathKind::kMap:
      return "an object such as {\"key\": \"value\"}";
    case PathKind::kList:
      break;
  }
  return "a value of its elements";
}

// The path, for messages of errors, and whether "-" has a meaning.
struct Place {
  const FieldPath& path;
  bool is_name;

  absl::Status Refuse(size_t column, std::string_view why) const {
    return FilterError(column, fmt::format("{} {}", Printable(path.ToString()), why));
  }
};

// Nothing if a field of that kind does not hold such a value.
std::optional<Value> ScalarOf(PathKind kind, const FieldDescriptor& field, const Literal& literal) {
  const bool is_string = literal.kind == LiteralKind::kString;
  const bool is_integer = literal.kind == LiteralKind::kInteger;
  switch (kind) {
    case PathKind::kBool:
      if (literal.kind == LiteralKind::kBool) return Value(literal.truth);
      break;
    case PathKind::kInteger:
    case PathKind::kDouble:
      if (is_integer) return Value(literal.integer);
      if (literal.kind == LiteralKind::kDouble) return Value(literal.real);
      break;
    case PathKind::kString:
      if (is_string) return Value(literal.text);
      break;
    case PathKind::kEnum: {
      if (is_integer) return Value(literal.integer);
      const auto* found = is_string ? field.enum_type()->FindValueByName(literal.text) : nullptr;
      if (found != nullptr) return Value(int64_t{found->number()});
      break;
    }
    case PathKind::kTimestamp: {
      const auto time = is_string ? ParseTimestamp(literal.text) : std::nullopt;
      if (time) return Value(*time);
      break;
    }
    case PathKind::kMessage:
    case PathKind::kList:
    case PathKind::kMap:
      break;
  }
  return std::nullopt;
}

absl::StatusOr<Value> BindScalar(const Place& place, PathKind kind, const FieldDescriptor& field,
                                 const Literal& literal) {
  std::optional<Value> value = ScalarOf(kind, field, literal);
  if (!value) {
    return place.Refuse(literal.column, fmt::format("is compared with {}", Wanted(kind)));
  }
  if (place.is_name && !IsNamePattern(literal.text)) {
    return FilterError(literal.column,
                       fmt::format("unable to parse '{}' as {} name", Printable(literal.text),
                                   field.containing_type()->name()));
  }
  return *std::move(value);
}

absl::StatusOr<Operand> BindValue(const Place& place, PathKind kind, const FieldDescriptor& field,
                                  const Literal& literal);

absl::Status CheckKeys(const Literal& object) {
  for (const Literal& key : object.keys) {
    if (key.kind == LiteralKind::kString) continue;
    return FilterError(key.column, "a key of an object is a string, in double quotes");
  }
  for (const Literal& value : object.values) CULVERT_RETURN_IF_ERROR(CheckKeys(value));
  return absl::OkStatus();
}

absl::StatusOr<Operand> BindEntries(const Place& place, const FieldDescriptor& map,
                                    const Literal& literal) {
  auto object = std::make_shared<ObjectLiteral>();
  object->text = TextOf(literal, Notation::kFilter);
  const FieldDescriptor& field = *map.message_type()->map_value();
  for (size_t i = 0; i < literal.keys.size(); ++i) {
    CULVERT_ASSIGN_OR_RETURN(Operand value,
                             BindValue(place, ElementKindOf(field), field, literal.values[i]));
    if (!object->entries.try_emplace(literal.keys[i].text, std::move(value)).second) {
      return FilterError(literal.keys[i].column, "the object has this key twice");
    }
  }
  return Operand{Null{}, std::move(object)};
}

absl::StatusOr<Operand> BindMessage(const Place& place, const FieldDescriptor& field,
                                    const Literal& literal) {
  auto object = std::make_shared<ObjectLiteral>();
  object->text = TextOf(literal, Notation::kFilter);
  const Message* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(field.message_type());
  if (prototype == nullptr) return place.Refuse(literal.column, "is of no type known here");
  object->message.reset(prototype->New());
  const auto status = google::protobuf::util::JsonStringToMessage(TextOf(literal, Notation::kJson),
                                                                  object->message.get());
  if (status.ok()) return Operand{Null{}, std::move(object)};
  return place.Refuse(
      literal.column,
      fmt::format("is compared with the JSON of a {}: {}", field.message_type()->full_name(),
                  Printable({status.message().data(), status.message().size()})));
}

absl::StatusOr<Operand> BindValue(const Place& place, PathKind kind, const FieldDescriptor& field,
                                  const Literal& literal) {
  if (literal.kind == LiteralKind::kNull) {
    return FilterError(literal.column, "NULL stands only behind = and !=; or write IS NULL");
  }
  const bool wants_object = kind == PathKind::kMessage || kind == PathKind::kMap;
  if (!wants_object) {
    CULVERT_ASSIGN_OR_RETURN(Value value, BindScalar(place, kind, field, literal));
    return Operand{std::move(value), nullptr};
  }
  if (literal.kind != LiteralKind::kObject) {
    return place.Refuse(literal.column, fmt::format("is compared with {}", Wanted(kind)));
  }
  CULVERT_RETURN_IF_ERROR(CheckKeys(literal));
  return kind == PathKind::kMap ? BindEntries(place, field, literal)
                                : BindMessage(place, field, literal);
}

// A map contains keys as well as entries; a list, elements.
absl::StatusOr<Operand> BindContained(const Place& place, const Literal& literal) {
  const FieldDescriptor& field = place.path.leaf();
  if (place.path.kind() == PathKind::kMap) {
    if (literal.kind == LiteralKind::kString) return Operand{literal.text, nullptr};
    return BindValue(place, PathKind::kMap, field, literal);
  }
  return BindValue(place, ElementKindOf(field), field, literal);
}

bool IsAnyOf(Comparator comparator, Comparator first, Comparator last) {
  return comparator >= first && comparator <= last;
}

absl::Status CheckComparator(const Place& place, size_t column, Comparator comparator) {
  if (IsAnyOf(comparator, Comparator::kIsNull, Comparator::kIsNotNan)) return absl::OkStatus();
  const PathKind kind = place.path.kind();
  if (IsAnyOf(comparator, Comparator::kContains, Comparator::kContainsAll)) {
    if (kind == PathKind::kList || kind == PathKind::kMap) return absl::OkStatus();
    return place.Refuse(column, "is neither a list nor a map, which CONTAINS asks for");
  }
  if (comparator == Comparator::kLike) {
    if (kind == PathKind::kString) return absl::OkStatus();
    return place.Refuse(column, "is no string, which LIKE asks for");
  }
  if (kind == PathKind::kList) return place.Refuse(column, "is a list: ask what it CONTAINS");
  const bool has_order = kind != PathKind::kMessage && kind != PathKind::kMap;
  if (has_order || !IsAnyOf(comparator, Comparator::kLess, Comparator::kGreaterOrEqual)) {
    return absl::OkStatus();
  }
  return place.Refuse(column, "has parts and no order: only =, != and IN compare it");
}

}  // namespace

absl::StatusOr<Literal> NumberLiteral(const std::string& text, size_t column) {
  Literal literal;
  literal.column = column;
  const bool is_whole = text.find_first_of(".eE") == std::string::npos;
  if (is_whole && absl::SimpleAtoi(text, &literal.integer)) {
    literal.kind = LiteralKind::kInteger;
    return literal;
  }
  const char* begin = text.data() + (text.front() == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto parsed = absl::from_chars(begin, end, literal.real);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    const bool is_out_of_range = parsed.ec == std::errc::result_out_of_range;
    return FilterError(
        column, is_out_of_range ? "a number beyond all that fields can hold" : "not a number");
  }
  literal.kind = LiteralKind::kDouble;
  constexpr double kExact = 0x1p53;
  if (std::trunc(literal.real) == literal.real && std::abs(literal.real) < kExact) {
    literal.kind = LiteralKind::kInteger;
    literal.integer = static_cast<int64_t>(literal.real);
  }
  return literal;
}

absl::StatusOr<Comparison> Bind(FieldPath path, size_t column, Comparator comparator,
                                const std::vector<Literal>& literals) {
  Comparison bound{std::move(path), comparator, {}};
  const bool is_equality = comparator == Comparator::kEqual || comparator == Comparator::kNotEqual;
  if (is_equality && literals.front().kind == LiteralKind::kNull) {
    bound.comparator =
        comparator == Comparator::kEqual ? Comparator::kIsNull : Comparator::kIsNotNull;
    return bound;
  }
  const Place place{
      bound.path, bound.path.is_resource_name() && (is_equality || comparator == Comparator::kIn ||
                                                    comparator == Comparator::kNotIn)};
  CULVERT_RETURN_IF_ERROR(CheckComparator(place, column, comparator));
  for (const Literal& literal : literals) {
    if (comparator == Comparator::kLike) {
      if (const absl::Status fits = CheckLikePattern(literal.text); !fits.ok()) {
        return FilterError(literal.column, MessageOf(fits));
      }
    }
    const bool is_part = IsAnyOf(comparator, Comparator::kContains, Comparator::kContainsAll);
    CULVERT_ASSIGN_OR_RETURN(
        Operand operand, is_part ? BindContained(place, literal)
                                 : BindValue(place, bound.path.kind(), bound.path.leaf(), literal));
    bound.operands.push_back(std::move(operand));
  }
  return bound;
}

}  // namespace culvert::resource
