#include "store/policy_table.h"

#include <utility>

#include "store/database.h"

namespace culvert::store {

absl::Status PolicyTable::Load() {
  using Result = absl::StatusOr<Policy::Content>;
  CULVERT_ASSIGN_OR_RETURN(const Policy::Content content,
                           database_.Read<Result>("read policy", [&] { return ReadAll(); }));
  current_ = std::make_shared<const Policy>(content);
  return absl::OkStatus();
}

absl::Status PolicyTable::Apply(std::string_view what, absl::FunctionRef<absl::Status()> body) {
  using Result = absl::StatusOr<Policy::Content>;
  CULVERT_ASSIGN_OR_RETURN(const Policy::Content content,
                           database_.Write<Result>(what, [&]() -> Result {
                             CULVERT_RETURN_IF_ERROR(body());
                             return ReadAll();
                           }));
  current_ = std::make_shared<const Policy>(content);
  return absl::OkStatus();
}

absl::StatusOr<Policy::Content> PolicyTable::ReadAll() {
  Policy::Content content;
  CULVERT_ASSIGN_OR_RETURN(content.rules, ReadRules());
  CULVERT_ASSIGN_OR_RETURN(content.groups, ReadGroups());
  CULVERT_ASSIGN_OR_RETURN(content.roles, ReadRoles());
  return content;
}

}  // namespace culvert::store
