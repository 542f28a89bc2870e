// What a reload found changed and cannot take over.
#pragma once

#include <string>

#include "base/log.h"

namespace culvert::config {

// Confined to one thread.
class ChangedKeys {
 public:
  template <class Value>
  void Note(const char* key, const Value& now, const Value& next) {
    if (now == next) return;
    if (!keys_.empty()) keys_ += ", ";
    keys_ += key;
  }
  // "broker, name"; empty if nothing has changed.
  const std::string& text() const { return keys_; }
  // One warning that names them, if there are any.
  void Log() const {
    if (keys_.empty()) return;
    CULVERT_LOG(kWarning, "changed, but used from the next start only: {}", keys_);
  }

 private:
  std::string keys_;
};

}  // namespace culvert::config
