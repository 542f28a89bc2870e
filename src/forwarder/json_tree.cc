#include "forwarder/json_tree.h"

#include <utility>

namespace culvert::forwarder {

const char* JsonTree::Begin(JsonValue empty) {
  if (open_.size() == kMostDepth) return "nested too deep";
  if (wants_key()) return "a key must be text";
  open_.push_back({std::move(empty), "", false});
  return nullptr;
}

const char* JsonTree::End() {
  JsonValue value = std::move(open_.back().value);
  open_.pop_back();
  return Value(std::move(value));
}

const char* JsonTree::Key(const std::string& key) {
  Open& object = open_.back();
  if (object.value.contains(key)) return "a key that is there already";
  object.key = key;
  object.has_key = true;
  return nullptr;
}

const char* JsonTree::Value(JsonValue value) {
  if (open_.empty()) {
    done_ = std::move(value);
    return nullptr;
  }
  Open& parent = open_.back();
  if (parent.value.is_array()) {
    parent.value.push_back(std::move(value));
    return nullptr;
  }
  if (!parent.has_key) return "a key must be text";
  parent.value[parent.key] = std::move(value);
  parent.has_key = false;
  return nullptr;
}

}  // namespace culvert::forwarder
