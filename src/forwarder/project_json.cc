#include "forwarder/project_json.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "config/text_file.h"
#include "forwarder/documents.h"

namespace culvert::forwarder {

JsonValue ProjectToJson(const Project& project) {
  std::string text;
  // Fails only for times and masks beyond what their types allow: what there is of it then.
  const auto status = google::protobuf::util::MessageToJsonString(project, &text);
  if (!status.ok()) return JsonValue{{"name", project.name()}};
  return JsonValue::parse(text);
}

absl::StatusOr<Project> ProjectFromJson(const JsonValue& json, const std::string& where) {
  Project project;
  const std::string text = json.dump(-1, ' ', false, JsonValue::error_handler_t::replace);
  const auto status = google::protobuf::util::JsonStringToMessage(text, &project);
  if (status.ok()) return project;
  return absl::InvalidArgumentError(
      fmt::format("{}: {}", where, Printable(std::string(status.message()))));
}

absl::StatusOr<std::vector<Project>> ReadProjects(const std::string& file) {
  CULVERT_ASSIGN_OR_RETURN(const std::string text, config::ReadFileOrStdin(file, kMostFileBytes));
  const std::string name = file == "-" ? "standard input" : file;
  CULVERT_ASSIGN_OR_RETURN(const std::vector<JsonValue> objects, ReadDocuments(text, name));
  std::vector<Project> projects;
  for (size_t i = 0; i < objects.size(); ++i) {
    std::string where = Printable(name);
    if (objects.size() > 1) where += fmt::format(": project {}", i + 1);
    CULVERT_ASSIGN_OR_RETURN(projects.emplace_back(), ProjectFromJson(objects[i], where));
  }
  return projects;
}

}  // namespace culvert::forwarder
