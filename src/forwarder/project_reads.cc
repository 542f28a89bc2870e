#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "config/main.h"
#include "forwarder/make_client.h"
#include "forwarder/project_commands.h"
#include "forwarder/project_edit.h"
#include "forwarder/project_printer.h"
#include "ntt/proxies/v1/project_service.pb.h"

namespace culvert::forwarder {
namespace {

using config::ProjectsConfig;
using ntt::proxies::v1::BatchGetProjectsRequest;
using ntt::proxies::v1::BatchGetProjectsResponse;
using ntt::proxies::v1::GetProjectRequest;
using ntt::proxies::v1::ListProjectsRequest;
using ntt::proxies::v1::ListProjectsResponse;
using ntt::proxies::v1::Project;
using Shape = ProjectPrinter::Shape;

// The time of a page is mostly that of the way to the broker and back. It has its own limit.
constexpr uint32_t kPageSize = 500;

ProjectPrinter PrinterOf(const ProjectsConfig& config, Shape shape) {
  return ProjectPrinter(config.output.value_or(ProjectsConfig::Output::kTable), shape,
                        config.headers, std::time(nullptr));
}

std::vector<const Project*> FirstOf(const google::protobuf::RepeatedPtrField<Project>& projects,
                                    uint64_t most) {
  const auto size = std::min<uint64_t>(most, static_cast<uint64_t>(projects.size()));
  std::vector<const Project*> first;
  for (uint64_t i = 0; i < size; ++i) first.push_back(&projects.at(static_cast<int>(i)));
  return first;
}

// Only where somebody may wonder: other forms have their own way to say nothing.
void SayThereIsNone(const ProjectsConfig& config) {
  if (config.output.value_or(ProjectsConfig::Output::kTable) > ProjectsConfig::Output::kWide) {
    return;
  }
  std::fputs(config.filter.empty() ? "no projects\n" : "no project meets the filter\n", stderr);
}

}  // namespace

absl::Status ListProjects(ProjectClient& client, const ProjectsConfig& config) {
  ProjectPrinter printer = PrinterOf(config, Shape::kMany);
  ListProjectsRequest request;
  request.set_filter(config.filter);
  request.set_order_by(config.order_by);
  uint64_t left = config.limit == 0 ? UINT64_MAX : config.limit;
  const uint32_t page = config.page_size == 0 ? kPageSize : config.page_size;
  request.set_page_size(static_cast<int32_t>(std::min<uint64_t>({page, left, INT32_MAX})));
  while (left > 0) {
    CULVERT_ASSIGN_OR_RETURN(const auto response,
                             client.Ask<ListProjectsResponse>(rpc::Method::kListProjects, request));
    const std::vector<const Project*> projects = FirstOf(response.projects(), left);
    left -= projects.size();
    CULVERT_RETURN_IF_ERROR(PrintNow(printer.Piece(projects)));
    if (response.next_page_token().empty()) break;
    if (response.next_page_token() == request.page_token()) {
      return absl::InternalError("the broker gives the same page again");
    }
    request.set_page_token(response.next_page_token());
  }
  if (printer.is_empty()) SayThereIsNone(config);
  return PrintNow(printer.End());
}

absl::Status GetProjects(ProjectClient& client, const ProjectsConfig& config, int* failures) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(config));
  if (names.size() == 1) {
    GetProjectRequest request;
    request.set_name(names.front());
    CULVERT_ASSIGN_OR_RETURN(const auto project,
                             client.Ask<Project>(rpc::Method::kGetProject, request));
    ProjectPrinter printer = PrinterOf(config, Shape::kOne);
    return PrintNow(printer.Piece({&project}) + printer.End());
  }
  BatchGetProjectsRequest request;
  for (const std::string& name : names) request.add_names(name);
  CULVERT_ASSIGN_OR_RETURN(const auto response, client.Ask<BatchGetProjectsResponse>(
                                                    rpc::Method::kBatchGetProjects, request));
  ProjectPrinter printer = PrinterOf(config, Shape::kMany);
  const std::string text = printer.Piece(FirstOf(response.projects(), UINT64_MAX));
  CULVERT_RETURN_IF_ERROR(PrintNow(text + printer.End()));
  for (const std::string& name : response.missing()) {
    config::PrintError(kProgram,
                       absl::NotFoundError(fmt::format("{} does not exist", Printable(name))));
    ++*failures;
  }
  return absl::OkStatus();
}

}  // namespace culvert::forwarder
