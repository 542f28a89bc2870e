// The reading calls of ntt.proxies.ProjectService over the table of projects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "broker/project_worker.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "resource/field_mask.h"
#include "resource/filter.h"
#include "resource/order_by.h"
#include "resource/page_token.h"
#include "store/project_table.h"

namespace culvert::broker {

// Projects on a page where a request does not say, and at most.
inline constexpr int32_t kDefaultPage = 100;
inline constexpr int32_t kMostOnPage = 1000;
// Names of one BatchGet.
inline constexpr int kMostInBatch = 1000;
// Serialized answers are kept below this: a page may be shorter than was asked for.
inline constexpr size_t kMostAnswerBytes = size_t{3} * 1024 * 1024;

// Whether the caller may see a project of this id; null: all.
using MaySeeProject = absl::AnyInvocable<bool(const std::string& id) const>;

// What a list asks for, checked.
struct ProjectQuestion {
  // INVALID_ARGUMENT for what does not parse, and a token of another list.
  static absl::StatusOr<ProjectQuestion> Parse(const ntt::proxies::v1::ListProjectsRequest& request,
                                               const resource::PageTokens& tokens);

  // The index that has the projects in this order, or in the opposite one, if there is one.
  std::optional<store::ProjectIndex> Index() const;
  // Whether the order is the opposite one of the index.
  bool IsIndexReversed() const;
  resource::PageBinding Binding() const;

  // Where a project is in this order: of an index its place there, else the order's own key. That
  // is what page tokens have.
  std::string KeyOf(const store::Project& project) const;
  bool Precedes(const std::string& key, const std::string& other) const;

  resource::Filter filter;
  resource::OrderBy order_by;
  resource::Mask mask;
  size_t page_size;
  std::optional<resource::PageCursor> cursor;
  bool include_paging_info;
};

// A page by looking at all projects, or from its first one on where there is an index.
class ListSearch : public ProjectSearch {
 public:
  // `tokens` is what its page tokens are sealed with.
  static std::shared_ptr<ListSearch> Make(ProjectQuestion question,
                                          const resource::PageTokens& tokens,
                                          MaySeeProject may_see);

  // For Make.
  ListSearch(ProjectQuestion question, const resource::PageTokens& tokens, MaySeeProject may_see);

  ntt::proxies::v1::ListProjectsResponse TakeAnswer() { return std::move(answer_); }

 protected:
  // A project with its key in the order that was asked for.
  struct Found {
    std::string key;
    store::Project project;
  };

  bool is_left() const;
  bool Matches(const store::Project& project) const;
  // `found` is in the order of reading; `is_more` beyond it.
  void MakeAnswer(std::vector<Found> found, bool is_more);
  // Whether so many projects of so many bytes are a page.
  bool IsPage(size_t projects, size_t bytes) const {
    return projects >= question_.page_size || bytes >= kMostAnswerBytes;
  }

  const ProjectQuestion question_;
  ntt::proxies::v1::ListProjectsResponse answer_;

 private:
  const resource::PageTokens tokens_;  // its own: a step may outlast whose they are
  const MaySeeProject may_see_;
};

}  // namespace culvert::broker
