// The results of admin commands, for people and for programs.
#pragma once

#include <string>

#include "broker/admin.h"

namespace culvert::broker {

enum class Format { kText, kJson };

// What `command` prints of its result, with its line feeds; lists as JSON have one object a line.
// Empty where success is all that is to be said.
std::string DescribeResult(const std::string& command, const Json& result, Format format);

}  // namespace culvert::broker
