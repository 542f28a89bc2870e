// A range of projects as SQL. Used inside src/store only.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "store/database.h"
#include "store/project_table.h"

namespace culvert::store {

int64_t ToUnixMicros(WallTime time);

// The column of an index beside the name; null for the name's own.
const char* TimeColumn(ProjectIndex index);

// What a query asks for, and the values that it is bound to.
class Conditions {
 public:
  void Add(std::string condition) { texts_.push_back(std::move(condition)); }
  void Add(std::string condition, std::string value) {
    Add(std::move(condition));
    values_.emplace_back(std::move(value));
  }
  void Add(std::string condition, int64_t value) {
    Add(std::move(condition));
    values_.emplace_back(value);
  }
  void AddValue(std::string value) { values_.emplace_back(std::move(value)); }

  std::string Where() const {
    return texts_.empty() ? "" : fmt::format("WHERE {}", fmt::join(texts_, " AND "));
  }
  void Bind(SQLite::Statement& statement) const {
    int next = 1;
    for (const auto& value : values_) {
      std::visit([&](const auto& bound) { statement.bind(next, bound); }, value);
      ++next;
    }
  }

 private:
  std::vector<std::string> texts_;
  std::vector<std::variant<int64_t, std::string>> values_;
};

// Adds "(updated_us, name) > (?, ?)" or the like, for the place where `range` begins.
void AddFrom(const ProjectRange& range, std::string_view comparison, Conditions* conditions);
// Adds what bounds `range` in its index.
void AddBounds(const ProjectRange& range, Conditions* conditions);

}  // namespace culvert::store
