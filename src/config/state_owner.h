// Working on a state directory that is another user's.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace culvert::config {

// Root works on another user's state as that user, for the rest of the process: what it makes there
// must be that user's, who could not read it otherwise, and what that user has put there must not
// make root write elsewhere. Nothing for other users, and where the directory is root's or not
// there yet. FAILED_PRECONDITION if it is a symbolic link, unless root made that. Before the first
// thread.
absl::Status ActAsOwner(const std::string& state_dir);

// For what goes on running as who started it: FAILED_PRECONDITION for root where `file` in the
// state directory is another user's, who could not read what root would put in its place.
absl::Status CheckOwnState(const std::string& state_dir, const std::string& file);

}  // namespace culvert::config
