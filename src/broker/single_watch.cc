// Watches of one project.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "broker/project_watch.h"
#include "broker/watch_digest.h"
#include "broker/watch_message.h"
#include "rpc/codec.h"

namespace culvert::broker {
namespace {

using ntt::proxies::v1::WatchProjectResponse;
using store::Project;
using store::ProjectTable;

// Compares what is there with what its client was sent: of several changes at once the last counts.
class SingleWatch final : public ProjectWatch {
 public:
  SingleWatch(std::string id, resource::Mask mask) : id_(std::move(id)), mask_(std::move(mask)) {}

  absl::StatusOr<Step> Advance(ProjectTable& projects, const RecentChanges& changes,
                               StepEnd) override {
    Step step;
    step.is_idle = true;
    const bool is_first = !position_;
    if (is_first || changes.MayHaveChanged(store::ProjectName(id_), *position_)) {
      std::optional<Project> found = projects.Find(id_);
      if (is_first && !found) {
        return absl::NotFoundError(fmt::format("{} does not exist", store::ProjectName(id_)));
      }
      if (std::optional<ChangeMessage> change = Compare(std::move(found))) {
        WatchProjectResponse response;
        *response.mutable_change() = *std::move(change);
        step.frames.push_back(rpc::FrameOf(response));
      }
    }
    position_ = changes.version();
    return step;
  }

 private:
  std::optional<ChangeMessage> Compare(std::optional<Project> found) {
    std::optional<std::string> digest;
    if (found) {
      mask_.Trim(&*found);
      digest = DigestOf(*found);
    }
    const std::optional<std::string> shown = std::exchange(shown_, digest);
    if (shown == digest) return std::nullopt;
    ChangeMessage change;
    if (!digest) {
      change.mutable_removed()->set_name(store::ProjectName(id_));
    } else if (!shown) {
      *change.mutable_added()->mutable_project() = *std::move(found);
    } else {
      change.mutable_modified()->set_name(found->name());
      *change.mutable_modified()->mutable_project() = *std::move(found);
    }
    return change;
  }

  const std::string id_;
  const resource::Mask mask_;
  std::optional<int64_t> position_;
  std::optional<std::string> shown_;  // the digest of what the client has
};

}  // namespace

std::unique_ptr<ProjectWatch> MakeSingleWatch(std::string id, resource::Mask mask) {
  return std::make_unique<SingleWatch>(std::move(id), std::move(mask));
}

}  // namespace culvert::broker
