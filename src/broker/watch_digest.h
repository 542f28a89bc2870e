// What a watch remembers of a project that its client has.
#pragma once

#include <string>

#include "store/project_table.h"

namespace culvert::broker {

// Of what is in `project`, which is trimmed to the masked fields: equal for equal projects, and
// for others not.
std::string DigestOf(const store::Project& project);

}  // namespace culvert::broker
