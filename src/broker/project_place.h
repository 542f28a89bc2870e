// A place in an index of projects as bytes, which compare as the index does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/project_table.h"

namespace culvert::broker {

std::string PlaceKey(store::ProjectIndex index, const store::Project& project);
store::ProjectPlace PlaceOf(store::ProjectIndex index, const store::Project& project);
// None for what is no such key.
std::optional<store::ProjectPlace> PlaceOfKey(store::ProjectIndex index, std::string_view key);

}  // namespace culvert::broker
