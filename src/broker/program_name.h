// What this program calls itself in what it prints.
#pragma once

namespace culvert::broker {

inline constexpr char kProgram[] = "culvert-broker";

}  // namespace culvert::broker
