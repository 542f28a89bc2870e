// The command line's side of the admin commands.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "broker/admin.h"

namespace culvert::broker {

// Who runs this process. Before CallAdmin, which may change that.
Administrator ThisAdministrator();

// Has the broker that runs in `state_dir` do it, or does it here where none runs. `audit_file` is
// where the latter is recorded, as done by `who`. Root becomes the owner of `state_dir` for that,
// for good. `ca_cert` is the authority's certificate where the configuration says that its key is
// elsewhere. A store that has to be made is told on stderr, and what only lists makes none:
// NOT_FOUND. UNAVAILABLE if another process has the store and does not answer. Blocks, on no loop.
absl::StatusOr<Json> CallAdmin(const std::string& state_dir, const std::string& audit_file,
                               const Json& request, const Administrator& who = ThisAdministrator(),
                               const std::string& ca_cert = "");

}  // namespace culvert::broker
