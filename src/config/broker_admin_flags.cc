#include "config/broker_admin_flags.h"

#include <fmt/format.h>

#include "config/names.h"

namespace culvert::config {
namespace {

absl::StatusOr<std::string> ParseProjectId(std::string_view text) {
  CULVERT_ASSIGN_OR_RETURN(const std::string project, ParseProject(text));
  return project.substr(project.find('/') + 1);
}

}  // namespace

absl::StatusOr<std::string> AnyText(std::string_view text) {
  if (!text.empty()) return std::string(text);
  return absl::InvalidArgumentError("expected a value");
}

Setting ProjectFlag(AdminCommand& admin) {
  return Flag({"project", '\0', "PROJECT", "The project that it is about.", admin.project},
              admin.project, ParseProjectId);
}

Setting SubjectFlag(AdminCommand& admin, std::string flag, std::string argument, std::string help,
                    std::string kind) {
  Setting setting{std::move(flag), '\0', std::move(argument), std::move(help)};
  setting.form = FileForm::kNone;
  setting.set = [&admin, kind = std::move(kind)](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(std::string name, AnyText(text));
    admin.subjects.push_back({kind, std::move(name)});
    return absl::OkStatus();
  };
  return setting;
}

Setting Repeatable(Setting setting) {
  setting.form = FileForm::kList;
  setting.clear = [] {};
  return setting;
}

Settings SubjectFlags(AdminCommand& admin) {
  return {SubjectFlag(admin, "user", "NAME", "The user.", "user"),
          SubjectFlag(admin, "agent-principal", "NAME", "The agent, as who asks.", "agent"),
          SubjectFlag(admin, "service-account", "NAME", "The service account.", "service_account"),
          SubjectFlag(admin, "key", "KEYID", "Whoever has this key.", "key")};
}

std::function<absl::Status(const std::vector<std::string>&)> TakeOperand(AdminCommand& admin,
                                                                         const char* what) {
  return [&admin, what](const std::vector<std::string>& positional) -> absl::Status {
    if (positional.size() != 1 || positional.front().empty()) {
      return absl::InvalidArgumentError(fmt::format("expected one argument, {}", what));
    }
    admin.operand = positional.front();
    return absl::OkStatus();
  };
}

}  // namespace culvert::config
