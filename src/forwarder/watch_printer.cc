#include "forwarder/watch_printer.h"

#include "base/log.h"
#include "forwarder/project_json.h"
#include "forwarder/yaml_writer.h"

namespace culvert::forwarder {
namespace {

using Output = config::ProjectsConfig::Output;

// As a watch of Kubernetes has it, and the token.
JsonValue EventJson(const ProjectEvent& event) {
  JsonValue json = {{"type", NameOf(event.type)}};
  if (event.type != ProjectEvent::Type::kBookmark) json["object"] = ProjectToJson(event.project);
  if (!event.resume_token.empty()) json["resumeToken"] = event.resume_token;
  return json;
}

}  // namespace

WatchPrinter::WatchPrinter(Output output, bool headers)
    : output_(output),
      table_({.headers = headers, .wide = output == Output::kWide, .events = true, .now = 0}) {}

std::string WatchPrinter::Text(const std::vector<ProjectEvent>& events, int64_t now) {
  std::string text;
  std::vector<ProjectTable::Row> rows;
  for (const ProjectEvent& event : events) {
    if (output_ == Output::kJson) {
      text += WriteJson(EventJson(event), -1) + "\n";
    } else if (output_ == Output::kYaml) {
      text += "---\n" + WriteYaml(EventJson(event));
    } else if (event.type == ProjectEvent::Type::kBookmark) {
      continue;
    } else if (output_ == Output::kName) {
      text += Printable(event.project.name()) + "\n";
    } else {
      rows.push_back({NameOf(event.type), &event.project});
    }
  }
  table_.set_now(now);
  return rows.empty() ? text : table_.Lines(rows);
}

}  // namespace culvert::forwarder
