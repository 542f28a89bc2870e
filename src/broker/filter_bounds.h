// What a filter says that an index of the store can use.
#pragma once

#include "resource/filter.h"
#include "store/project_table.h"

namespace culvert::broker {

// The index in which the filter leaves the least, of those in which a project stays where it is.
store::ProjectIndex IndexFor(const resource::Filter& filter);

// Bounds `range` in its index by the conditions that every match of the filter meets. What is left
// may not match: the filter is still to be asked.
void Narrow(const resource::Filter& filter, store::ProjectRange* range);

}  // namespace culvert::broker
