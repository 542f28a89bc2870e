// A value as a filter has it, and what it means for the field that it is compared with. Used inside
// of the filter's parser. Any thread.
#pragma once

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "resource/filter.h"

namespace culvert::resource {

struct Literal {
  enum class Kind { kNull, kBool, kInteger, kDouble, kString, kObject };
  Kind kind = Kind::kNull;
  size_t column = 1;
  bool truth = false;
  int64_t integer = 0;
  double real = 0;
  std::string text;             // kString
  std::vector<Literal> keys;    // kObject
  std::vector<Literal> values;  // as many
};

// A number token: an integer where it is one that int64_t has (1e3 too), else a double.
// INVALID_ARGUMENT for "1.2.3" and 1e999.
absl::StatusOr<Literal> NumberLiteral(const std::string& text, size_t column);

// The comparison of `path`, which `column` is of, with `literals`. INVALID_ARGUMENT if the path's
// type does not have that comparison, or a literal is not of that type.
absl::StatusOr<Comparison> Bind(FieldPath path, size_t column, Comparator comparator,
                                const std::vector<Literal>& literals);

}  // namespace culvert::resource
