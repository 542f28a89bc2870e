#include "broker/project_answers.h"

#include <fmt/format.h>

#include <optional>

#include "base/status.h"
#include "broker/project_list.h"
#include "broker/project_search.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "rpc/codec.h"

namespace culvert::broker {
namespace {

using store::Project;
using store::ProjectTable;

class OneSearch final : public AnswerSearch {
 public:
  OneSearch(std::string id, resource::Mask mask) : id_(std::move(id)), mask_(std::move(mask)) {}

  absl::StatusOr<bool> Step(ProjectTable& projects, StepEnd) override {
    std::optional<Project> found = projects.Find(id_);
    if (!found) {
      return absl::NotFoundError(fmt::format("{} does not exist", store::ProjectName(id_)));
    }
    mask_.Trim(&*found);
    answer_ = rpc::FrameOf(*found);
    return true;
  }

 private:
  const std::string id_;
  const resource::Mask mask_;
};

class BatchSearch final : public AnswerSearch {
 public:
  BatchSearch(std::vector<std::string> ids, resource::Mask mask)
      : ids_(std::move(ids)), mask_(std::move(mask)) {}

  absl::StatusOr<bool> Step(ProjectTable& projects, StepEnd end) override {
    for (bool is_first = true; next_ < ids_.size(); is_first = false) {
      if (!is_first && end.HasCome()) return false;
      const std::string& id = ids_[next_++];
      std::optional<Project> found = projects.Find(id);
      if (!found) {
        response_.add_missing(store::ProjectName(id));
        continue;
      }
      mask_.Trim(&*found);
      bytes_ += found->ByteSizeLong();
      if (bytes_ > kMostAnswerBytes) {
        return absl::ResourceExhaustedError(
            "the projects are too large for one answer: ask for fewer");
      }
      *response_.add_projects() = *std::move(found);
    }
    answer_ = rpc::FrameOf(response_);
    return true;
  }

 private:
  const std::vector<std::string> ids_;
  const resource::Mask mask_;
  size_t next_ = 0;
  ntt::proxies::v1::BatchGetProjectsResponse response_;
  size_t bytes_ = 0;  // of the projects in it
};

class ListSearch final : public AnswerSearch {
 public:
  ListSearch(ProjectQuestion question, const resource::PageTokens& tokens)
      : search_(PageSearch::Make(std::move(question))), tokens_(tokens) {}

  absl::StatusOr<bool> Step(ProjectTable& projects, StepEnd end) override {
    CULVERT_ASSIGN_OR_RETURN(const bool is_over, search_->Step(projects, end));
    if (is_over) {
      answer_ = rpc::FrameOf(ListAnswer(search_->question(), search_->TakePage(), tokens_));
    }
    return is_over;
  }

 private:
  const std::shared_ptr<PageSearch> search_;
  const resource::PageTokens tokens_;  // its own: a step may outlast whose they are
};

}  // namespace

std::shared_ptr<AnswerSearch> SearchOne(std::string id, resource::Mask mask) {
  return std::make_shared<OneSearch>(std::move(id), std::move(mask));
}

std::shared_ptr<AnswerSearch> SearchBatch(std::vector<std::string> ids, resource::Mask mask) {
  return std::make_shared<BatchSearch>(std::move(ids), std::move(mask));
}

std::shared_ptr<AnswerSearch> SearchPage(ProjectQuestion question,
                                         const resource::PageTokens& tokens) {
  return std::make_shared<ListSearch>(std::move(question), tokens);
}

}  // namespace culvert::broker
