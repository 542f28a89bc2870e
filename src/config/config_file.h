// A TOML file as plain values that know where they stood: the only place that knows toml++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace culvert::config {

// A value, or a table or array of values.
struct FileValue {
  enum class Type { kString, kInteger, kBoolean, kArray, kTable, kOther };

  Type type = Type::kTable;
  std::string type_name;            // "a string", for messages
  std::string key;                  // empty in an array
  std::string where;                // "/etc/culvert/agent.toml:3:9"
  std::string text;                 // a string, or an integer or boolean in TOML's form
  std::vector<FileValue> children;  // in the order of the file

  const FileValue* Find(std::string_view name) const;
};

// The whole of the file as a table. NOT_FOUND if there is none; otherwise INVALID_ARGUMENT, with
// file:line:column where it is not TOML.
absl::StatusOr<FileValue> ReadConfigFile(const std::string& path);

// The same of `content`; `path` is for messages only.
absl::StatusOr<FileValue> ParseConfigText(std::string_view content, std::string_view path);

}  // namespace culvert::config
