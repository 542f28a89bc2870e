// Whether one comparison of a filter holds.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "resource/filter.h"
#include "resource/like.h"
#include "resource/resource_name.h"

namespace culvert::resource {
namespace {

using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

std::optional<bool> IsEqual(const Value& value, const Operand& operand);

int SizeOf(const MapView& map) {
  return map.message->GetReflection()->FieldSize(*map.message, map.field);
}

const Message& EntryAt(const MapView& map, int index) {
  return map.message->GetReflection()->GetRepeatedMessage(*map.message, map.field, index);
}

bool HasKey(const MapView& map, const std::string& key) {
  for (int i = 0, size = SizeOf(map); i < size; ++i) {
    if (EntryKey(EntryAt(map, i)) == key) return true;
  }
  return false;
}

bool HasEntries(const MapView& map, const ObjectLiteral& object) {
  size_t found = 0;
  for (int i = 0, size = SizeOf(map); i < size; ++i) {
    const Message& entry = EntryAt(map, i);
    const auto wanted = object.entries.find(EntryKey(entry));
    if (wanted == object.entries.end()) continue;
    if (!IsEqual(EntryValue(entry), wanted->second).value_or(false)) return false;
    ++found;
  }
  return found == object.entries.size();
}

// Nothing if they cannot be compared.
std::optional<bool> IsEqual(const Value& value, const Operand& operand) {
  if (operand.object == nullptr) {
    const std::partial_ordering order = Compare(value, operand.value);
    if (order == std::partial_ordering::unordered) return std::nullopt;
    return order == std::partial_ordering::equivalent;
  }
  if (const auto* map = std::get_if<MapView>(&value)) {
    return static_cast<size_t>(SizeOf(*map)) == operand.object->entries.size() &&
           HasEntries(*map, *operand.object);
  }
  const auto* message = std::get_if<const Message*>(&value);
  if (message == nullptr || operand.object->message == nullptr) return std::nullopt;
  return MessageDifferencer::Equals(**message, *operand.object->message);
}

std::optional<bool> IsEqualAt(const FieldPath& path, const Value& value, const Operand& operand) {
  if (!path.is_resource_name()) return IsEqual(value, operand);
  const auto* name = std::get_if<std::string>(&value);
  if (name == nullptr) return std::nullopt;
  return NameMatches(std::get<std::string>(operand.value), *name);
}

bool IsAmong(const FieldPath& path, const Value& value, const std::vector<Operand>& operands) {
  return std::any_of(operands.begin(), operands.end(), [&](const Operand& operand) {
    return IsEqualAt(path, value, operand).value_or(false);
  });
}

bool Contains(const Value& value, const Operand& operand) {
  if (const auto* map = std::get_if<MapView>(&value)) {
    return operand.object != nullptr ? HasEntries(*map, *operand.object)
                                     : HasKey(*map, std::get<std::string>(operand.value));
  }
  const auto* list = std::get_if<ListView>(&value);
  if (list == nullptr) return false;
  const int size = list->message->GetReflection()->FieldSize(*list->message, list->field);
  for (int i = 0; i < size; ++i) {
    const Value element = ReadElement(*list->message, *list->field, i);
    if (IsEqual(element, operand).value_or(false)) return true;
  }
  return false;
}

// Of a list each element, of a map each key, read once for many operands.
std::vector<Value> ElementsOf(const Value& value) {
  std::vector<Value> elements;
  if (const auto* map = std::get_if<MapView>(&value)) {
    for (int i = 0, size = SizeOf(*map); i < size; ++i) {
      elements.emplace_back(EntryKey(EntryAt(*map, i)));
    }
  } else if (const auto* list = std::get_if<ListView>(&value)) {
    const int size = list->message->GetReflection()->FieldSize(*list->message, list->field);
    for (int i = 0; i < size; ++i) {
      elements.push_back(ReadElement(*list->message, *list->field, i));
    }
  }
  return elements;
}

// What asks whether `value` contains an operand.
auto ContainsIn(const Value& value) {
  return [&value, elements = ElementsOf(value)](const Operand& operand) {
    if (operand.object != nullptr) return Contains(value, operand);
    return std::any_of(elements.begin(), elements.end(), [&operand](const Value& element) {
      return IsEqual(element, operand).value_or(false);
    });
  };
}

bool IsNan(const Value& value) {
  const auto* real = std::get_if<double>(&value);
  return real != nullptr && std::isnan(*real);
}

bool HasOrder(const Comparison& comparison, const Value& value) {
  const std::partial_ordering order = Compare(value, comparison.operands.front().value);
  if (order == std::partial_ordering::unordered) return false;
  switch (comparison.comparator) {
    case Comparator::kLess:
      return std::is_lt(order);
    case Comparator::kLessOrEqual:
      return std::is_lteq(order);
    case Comparator::kGreater:
      return std::is_gt(order);
    default:
      return std::is_gteq(order);
  }
}

}  // namespace

bool MatchesComparison(const Comparison& comparison, const Message& message) {
  const FieldPath& path = comparison.path;
  const std::vector<Operand>& operands = comparison.operands;
  const Value value = path.Read(message);
  switch (comparison.comparator) {
    case Comparator::kEqual:
      return IsEqualAt(path, value, operands.front()).value_or(false);
    case Comparator::kNotEqual:
      return !IsEqualAt(path, value, operands.front()).value_or(true);
    case Comparator::kLess:
    case Comparator::kLessOrEqual:
    case Comparator::kGreater:
    case Comparator::kGreaterOrEqual:
      return HasOrder(comparison, value);
    case Comparator::kIn:
      return IsAmong(path, value, operands);
    case Comparator::kNotIn:
      return !IsAmong(path, value, operands);
    case Comparator::kIsNull:
      return IsNull(value);
    case Comparator::kIsNotNull:
      return !IsNull(value);
    case Comparator::kIsNan:
      return IsNan(value);
    case Comparator::kIsNotNan:
      return !IsNan(value);
    case Comparator::kContains:
      return Contains(value, operands.front());
    case Comparator::kContainsAny:
      return std::any_of(operands.begin(), operands.end(), ContainsIn(value));
    case Comparator::kContainsAll:
      return std::all_of(operands.begin(), operands.end(), ContainsIn(value));
    case Comparator::kLike: {
      const auto* text = std::get_if<std::string>(&value);
      return text != nullptr && LikeMatches(std::get<std::string>(operands.front().value), *text);
    }
  }
  return false;
}

}  // namespace culvert::resource
