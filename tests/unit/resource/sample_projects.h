// Four projects that differ in what filters and orders look at, and names for them.
#pragma once

#include <google/protobuf/descriptor.h>

#include <random>
#include <string>

#include "ntt/proxies/v1/project.pb.h"

namespace culvert::resource {

using ntt::proxies::v1::Project;

inline const google::protobuf::Descriptor& ProjectType() { return *Project::descriptor(); }

Project ProjectOf(const std::string& text);  // in protobuf's text format; aborts if it is none

Project Lab();   // everything is set
Project Bare();  // the name only
Project Dev();   // some of it
Project Edge();  // with empty messages

// Mostly small choices, so that two often have parts in common.
Project RandomProject(std::mt19937* random);

}  // namespace culvert::resource
