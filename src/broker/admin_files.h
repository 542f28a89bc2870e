// The files that admin commands name: the command line reads them, so that what they hold is
// checked before anything changes, and whoever runs the command needs to be able to.
#pragma once

#include "absl/status/status.h"
#include "broker/admin.h"
#include "config/broker_admin.h"

namespace culvert::broker {

// Adds to the args of `request` what is in the files of `command`. Blocks.
absl::Status AttachFiles(const config::AdminCommand& command, Json& request);

}  // namespace culvert::broker
