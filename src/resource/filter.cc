#include "resource/filter.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "resource/filter_parser.h"
#include "resource/resource_name.h"

namespace culvert::resource {
namespace {

using google::protobuf::Message;
using Kind = FilterNode::Kind;

// As deep as the parser lets it be.
bool MatchesNode(const FilterNode& node, const Message& message) {
  const auto matches = [&message](const FilterNode& child) { return MatchesNode(child, message); };
  switch (node.kind) {
    case Kind::kEverything:
      return true;
    case Kind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), matches);
    case Kind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), matches);
    case Kind::kNot:
      return !matches(node.children.front());
    case Kind::kComparison:
      return MatchesComparison(*node.comparison, message);
  }
  return false;
}

bool IsPlain(const Comparison& comparison) {
  if (comparison.comparator > Comparator::kIn) return false;
  return std::all_of(comparison.operands.begin(), comparison.operands.end(),
                     [&comparison](const Operand& operand) {
                       const auto* text = std::get_if<std::string>(&operand.value);
                       const bool is_pattern = text != nullptr &&
                                               comparison.path.is_resource_name() &&
                                               HasWildcard(*text);
                       return operand.object == nullptr && !is_pattern;
                     });
}

}  // namespace

bool operator==(const Operand& a, const Operand& b) {
  if ((a.object == nullptr) != (b.object == nullptr)) return false;
  return a.value == b.value && (a.object == nullptr || a.object->text == b.object->text);
}

absl::StatusOr<Filter> Filter::Parse(std::string_view text,
                                     const google::protobuf::Descriptor& type) {
  if (text.size() > kMostBytes) {
    return absl::InvalidArgumentError(fmt::format("filter: more than {} bytes", kMostBytes));
  }
  Filter filter;
  CULVERT_ASSIGN_OR_RETURN(filter.root_, ParseFilter(text, type));
  filter.text_ = FilterText(filter.root_);
  // So that what ToString() gives is a filter, too.
  if (filter.text_.size() > kMostBytes) {
    return absl::InvalidArgumentError(
        fmt::format("filter: more than {} bytes once written out in full", kMostBytes));
  }
  return filter;
}

bool Filter::Matches(const Message& message) const { return MatchesNode(root_, message); }

std::vector<Comparison> Filter::conjuncts() const {
  std::vector<Comparison> conjuncts;
  const auto add = [&conjuncts](const FilterNode& node) {
    if (node.kind == Kind::kComparison && IsPlain(*node.comparison)) {
      conjuncts.push_back(*node.comparison);
    }
  };
  if (root_.kind == Kind::kAnd) {
    std::for_each(root_.children.begin(), root_.children.end(), add);
  } else {
    add(root_);
  }
  return conjuncts;
}

}  // namespace culvert::resource
