// JSON as YAML, and as JSON for a terminal. Used inside src/forwarder only.
#pragma once

#include <string>

#include "forwarder/json_tree.h"

namespace culvert::forwarder {

// One document, in block style, without "---". Every parser, of YAML 1.1 too, reads back the same
// types: text that it could take for something else has quotes.
std::string WriteYaml(const JsonValue& value);

// In one line if `indent` is negative. Control characters that a terminal would obey are escaped.
std::string WriteJson(const JsonValue& value, int indent);

}  // namespace culvert::forwarder
