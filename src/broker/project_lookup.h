// What Get and BatchGet read.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/project_question.h"
#include "broker/project_worker.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "resource/field_mask.h"
#include "rpc/codec.h"
#include "store/project_table.h"

namespace culvert::broker {

// Looks some ids up, in one step.
class ProjectLookup final : public ProjectSearch {
 public:
  ProjectLookup(std::vector<std::string> ids, resource::Mask mask)
      : ids_(std::move(ids)), mask_(std::move(mask)) {}

  absl::StatusOr<bool> Step(store::ProjectTable& projects) override {
    size_t bytes = 0;
    for (const std::string& id : ids_) {
      std::optional<store::Project> found = projects.Find(id);
      if (!found) {
        missing_.push_back(store::ProjectName(id));
        continue;
      }
      mask_.Trim(&*found);
      bytes += found->ByteSizeLong();
      if (bytes > kMostAnswerBytes) {
        return absl::ResourceExhaustedError(
            "the projects are too large for one answer: ask for fewer");
      }
      found_.push_back(*std::move(found));
    }
    return true;
  }

  absl::StatusOr<rpc::Frame> One() {
    if (found_.empty()) {
      return absl::NotFoundError(fmt::format("{} does not exist", missing_.front()));
    }
    return rpc::FrameOf(found_.front());
  }

  rpc::Frame All() {
    ntt::proxies::v1::BatchGetProjectsResponse response;
    for (store::Project& project : found_) *response.add_projects() = std::move(project);
    for (std::string& name : missing_) response.add_missing(std::move(name));
    return rpc::FrameOf(response);
  }

 private:
  const std::vector<std::string> ids_;
  const resource::Mask mask_;
  std::vector<store::Project> found_;
  std::vector<std::string> missing_;
};

}  // namespace culvert::broker
