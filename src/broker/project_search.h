// Finds a page of projects in the table, in steps.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/project_question.h"
#include "broker/project_worker.h"
#include "store/project_table.h"

namespace culvert::broker {

// A project, trimmed to the fields that were asked for, with its key in the order.
struct FoundProject {
  std::string key;
  store::Project project;
};

struct FoundPage {
  std::vector<FoundProject> projects;  // in the direction of reading
  bool is_more = false;                // beyond them
  // Where asked for: how many there are before the page in the order, and in all.
  int32_t offset = 0;
  int32_t total = 0;
};

// By looking at all projects, or from the page's first one on where there is an index. Of several
// steps each sees the table as it is then.
class PageSearch : public ProjectSearch {
 public:
  static std::shared_ptr<PageSearch> Make(ProjectQuestion question);

  const ProjectQuestion& question() const { return question_; }
  // Once, when it is over.
  FoundPage TakePage() { return std::move(page_); }

 protected:
  explicit PageSearch(ProjectQuestion question) : question_(std::move(question)) {}

  // Whether so many projects of so many bytes are a page.
  bool IsPage(size_t projects, size_t bytes) const {
    return projects >= question_.page_size || bytes >= kMostAnswerBytes;
  }

  const ProjectQuestion question_;
  FoundPage page_;
};

}  // namespace culvert::broker
