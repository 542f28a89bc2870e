// The one spelling of a filter.
#include <fmt/format.h>

#include "resource/filter.h"

namespace culvert::resource {
namespace {

using Kind = FilterNode::Kind;

std::string TextOf(const Operand& operand) {
  if (operand.object != nullptr) return operand.object->text;
  const Value& value = operand.value;
  if (const auto* text = std::get_if<std::string>(&value)) return Quoted(*text);
  if (const auto* number = std::get_if<int64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "TRUE" : "FALSE";
  if (const auto* time = std::get_if<Timestamp>(&value)) return Quoted(FormatTimestamp(*time));
  return "NULL";
}

std::string_view TextOf(Comparator comparator) {
  switch (comparator) {
    case Comparator::kEqual:
      return "=";
    case Comparator::kNotEqual:
      return "!=";
    case Comparator::kLess:
      return "<";
    case Comparator::kLessOrEqual:
      return "<=";
    case Comparator::kGreater:
      return ">";
    case Comparator::kGreaterOrEqual:
      return ">=";
    case Comparator::kIn:
      return "IN";
    case Comparator::kNotIn:
      return "NOT IN";
    case Comparator::kIsNull:
      return "IS NULL";
    case Comparator::kIsNotNull:
      return "IS NOT NULL";
    case Comparator::kIsNan:
      return "IS NAN";
    case Comparator::kIsNotNan:
      return "IS NOT NAN";
    case Comparator::kContains:
      return "CONTAINS";
    case Comparator::kContainsAny:
      return "CONTAINS ANY";
    case Comparator::kContainsAll:
      return "CONTAINS ALL";
    case Comparator::kLike:
      return "LIKE";
  }
  return "";
}

bool TakesList(Comparator comparator) {
  return comparator == Comparator::kIn || comparator == Comparator::kNotIn ||
         comparator == Comparator::kContainsAny || comparator == Comparator::kContainsAll;
}

std::string TextOf(const Comparison& comparison) {
  std::string text =
      fmt::format("{} {}", comparison.path.ToString(), TextOf(comparison.comparator));
  if (comparison.operands.empty()) return text;
  if (!TakesList(comparison.comparator)) return text + " " + TextOf(comparison.operands.front());
  std::string_view before = " (";
  for (const Operand& operand : comparison.operands) {
    text += fmt::format("{}{}", before, TextOf(operand));
    before = ", ";
  }
  return text + ")";
}

// `inner` is a child of an And or a Not, which bind tighter than what it is.
std::string TextInside(const FilterNode& inner, bool needs_parentheses) {
  return needs_parentheses ? fmt::format("({})", FilterText(inner)) : FilterText(inner);
}

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr std::string_view kBytes = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view kNames = "abfnrtv\\\"";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (const size_t found = kBytes.find(c); found != std::string_view::npos) {
      quoted += fmt::format("\\{}", kNames[found]);
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string FilterText(const FilterNode& node) {
  switch (node.kind) {
    case Kind::kEverything:
      return "";
    case Kind::kComparison:
      return TextOf(*node.comparison);
    case Kind::kNot: {
      const FilterNode& child = node.children.front();
      return "NOT " + TextInside(child, child.kind == Kind::kAnd || child.kind == Kind::kOr);
    }
    case Kind::kAnd:
    case Kind::kOr:
      break;
  }
  const std::string_view between = node.kind == Kind::kAnd ? " AND " : " OR ";
  std::string text;
  for (const FilterNode& child : node.children) {
    if (!text.empty()) text += between;
    text += TextInside(child, node.kind == Kind::kAnd && child.kind == Kind::kOr);
  }
  return text;
}

}  // namespace culvert::resource
