// The sockets on which running agents and forwarders tell how they are doing, and `status`, which
// asks them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/common.h"
#include "config/process_status.h"
#include "net/event_loop.h"
#include "net/line_server.h"

namespace culvert::config {

// Where sockets may be, the better place first: "status" in the state directory, and a directory
// named as the program in $XDG_RUNTIME_DIR. Each process has "PID.sock" in one of them.
std::vector<std::string> StatusFolders(const CommonConfig& common, const std::string& program);

// Answers whoever of this user, or root, asks this process. `describe` runs on the loop for each
// question; the fields that are the same in all programs (program, pid, version, age) need not be
// set. Makes neither a state nor a runtime directory: null where there is none, or none can be
// written or is safe (net::CheckSocketFolder), with a warning if the state directory is there. The
// program can do without.
std::unique_ptr<net::LineServer> ServeStatus(net::EventLoop& loop, const CommonConfig& common,
                                             const std::string& program,
                                             std::function<ProcessStatus()> describe);

// What each of the processes said, oldest first; removes the sockets of those that have gone. Asks
// nobody in a folder that others may write, and no process of another user than ours and root.
// Blocks for at most a few seconds for each that does not answer.
std::vector<std::string> AskForStatus(const std::vector<std::string>& folders);

// `PROGRAM status`: the exit code. kExitFailure with one line on stderr where none runs.
int RunStatus(const std::string& program, const CommonConfig& common, bool json);

}  // namespace culvert::config
