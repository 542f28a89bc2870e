// The flags that several admin commands have. Used inside src/config only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "config/broker_admin.h"
#include "config/setting.h"

namespace culvert::config {

// Anything but nothing: whoever does it checks more.
absl::StatusOr<std::string> AnyText(std::string_view text);

// A flag of one command: neither a variable nor the file can set it.
template <class Value>
Setting Flag(Setting setting, Value& field, absl::StatusOr<Value> (*parse)(std::string_view)) {
  setting.form = FileForm::kNone;
  setting.set = [&field, parse](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(field, parse(text));
    return absl::OkStatus();
  };
  return setting;
}

// --project, an ID or projects/ID.
Setting ProjectFlag(AdminCommand& admin);

// Adds a subject of `kind` each time that it is given.
Setting SubjectFlag(AdminCommand& admin, std::string flag, std::string argument, std::string help,
                    std::string kind);

// Those of rules and groups, where --agent means something else or could.
Settings SubjectFlags(AdminCommand& admin);

// A flag that may be given more than once, whose `set` adds.
Setting Repeatable(Setting setting);

// The one argument that is no flag; `what` it is, for the message.
std::function<absl::Status(const std::vector<std::string>&)> TakeOperand(AdminCommand& admin,
                                                                         const char* what);

}  // namespace culvert::config
