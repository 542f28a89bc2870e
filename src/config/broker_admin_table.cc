#include "config/broker_admin_table.h"

#include <fmt/format.h>

namespace culvert::config {
namespace {

absl::Status NeedOneSubject(const AdminCommand& admin, std::string_view flags) {
  if (admin.subjects.size() == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("give one of {}", flags));
}

}  // namespace

Command& AdminTable::Add(Command command, std::vector<std::string_view> also) {
  also.insert(also.end(), {"config", "state-dir", "log-level"});
  for (Setting& setting : KeepFlags(shared_, also)) {
    command.settings.push_back(std::move(setting));
  }
  command.finish = [&admin = admin_, name = command.name] {
    admin.name = name;
    return absl::OkStatus();
  };
  commands_.push_back(std::move(command));
  return commands_.back();
}

Command& AdminTable::AddForOne(Command command, const char* flags) {
  Command& added = Add(std::move(command));
  added.finish = [&admin = admin_, name = added.name, flags] {
    admin.name = name;
    return NeedOneSubject(admin, flags);
  };
  return added;
}

void AdminTable::AddList(const std::string& what, const std::string& summary,
                         const std::string& description, Settings settings) {
  Add({what + " list", "[options]", summary, description, std::move(settings)}, {"json"});
}

}  // namespace culvert::config
