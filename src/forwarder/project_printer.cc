#include "forwarder/project_printer.h"

#include <utility>

#include "absl/strings/str_replace.h"
#include "base/log.h"
#include "forwarder/project_json.h"
#include "forwarder/yaml_writer.h"

namespace culvert::forwarder {
namespace {

using Output = config::ProjectsConfig::Output;

}  // namespace

ProjectPrinter::ProjectPrinter(Output output, Shape shape, bool headers, int64_t now)
    : output_(output),
      shape_(shape),
      table_({.headers = headers, .wide = output == Output::kWide, .events = false, .now = now}) {}

std::string ProjectPrinter::Json(const Project& project) {
  const std::string text = WriteJson(ProjectToJson(project), 2);
  if (shape_ == Shape::kOne) return text + "\n";
  return (is_empty_ ? "[\n  " : ",\n  ") + absl::StrReplaceAll(text, {{"\n", "\n  "}});
}

std::string ProjectPrinter::Yaml(const Project& project) const {
  return (is_empty_ ? "" : "---\n") + WriteYaml(ProjectToJson(project));
}

std::string ProjectPrinter::Piece(const std::vector<const Project*>& projects) {
  if (projects.empty()) return "";
  std::string text;
  if (output_ == Output::kTable || output_ == Output::kWide) {
    std::vector<ProjectTable::Row> rows;
    rows.reserve(projects.size());
    for (const Project* project : projects) rows.push_back({"", project});
    text = table_.Lines(rows);
    is_empty_ = false;
    return text;
  }
  for (const Project* project : projects) {
    if (output_ == Output::kJson) {
      text += Json(*project);
    } else if (output_ == Output::kYaml) {
      text += Yaml(*project);
    } else {
      text += Printable(project->name()) + "\n";
    }
    is_empty_ = false;
  }
  return text;
}

std::string ProjectPrinter::End() const {
  if (output_ != Output::kJson || shape_ == Shape::kOne) return "";
  return is_empty_ ? "[]\n" : "\n]\n";
}

}  // namespace culvert::forwarder
