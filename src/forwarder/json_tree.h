// Builds a JSON value from what a parser meets, with one reading only. Used inside src/forwarder.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace culvert::forwarder {

using JsonValue = nlohmann::json;

// Each call returns what is wrong with it, or null; after that the tree is of no use.
class JsonTree {
 public:
  // Of what a project holds nothing nests deeper than 5.
  static constexpr size_t kMostDepth = 32;

  const char* Begin(JsonValue empty);  // an object or an array
  const char* End();
  const char* Key(const std::string& key);
  const char* Value(JsonValue value);

  // Whether what comes next is the key of an object.
  bool wants_key() const {
    return !open_.empty() && open_.back().value.is_object() && !open_.back().has_key;
  }
  bool is_open() const { return !open_.empty(); }
  // What is complete.
  JsonValue Take() { return std::move(done_).value_or(nullptr); }

 private:
  struct Open {
    JsonValue value;
    std::string key;  // of the member that comes next
    bool has_key = false;
  };

  std::vector<Open> open_;
  std::optional<JsonValue> done_;
};

}  // namespace culvert::forwarder
