// What a caller asks of the projects: which, in what order, which fields, and which page of them.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
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
// Serialized answers are kept below this: a page may be shorter than was asked for.
inline constexpr size_t kMostAnswerBytes = size_t{3} * 1024 * 1024;

// Which projects a caller sees at all. A value.
struct ProjectScope {
  std::optional<std::string> only = std::nullopt;  // an id; none: all projects

  bool Has(const std::string& id) const { return !only || *only == id; }
};

// A question, checked. A value; any thread.
struct ProjectQuestion {
  // INVALID_ARGUMENT for what does not parse, and a token of another list.
  static absl::StatusOr<ProjectQuestion> Parse(const ntt::proxies::v1::ListProjectsRequest& request,
                                               ProjectScope scope,
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

  bool Matches(const store::Project& project) const {
    return scope.Has(store::ProjectId(project)) && filter.Matches(project);
  }

  // Bounds `range` in its index: what matches is in it.
  void Narrow(store::ProjectRange* range) const;

  // Whether the page is read against the order: from the cursor to the left.
  bool IsLeft() const;
  // Of two keys, in the direction of reading.
  bool IsReadBefore(const std::string& key, const std::string& other) const {
    return IsLeft() ? Precedes(other, key) : Precedes(key, other);
  }
  // On the page's side of the cursor.
  bool IsAhead(const std::string& key) const;

  resource::Filter filter;
  resource::OrderBy order_by;
  resource::Mask mask;
  size_t page_size;
  std::optional<resource::PageCursor> cursor;
  bool include_paging_info;
  ProjectScope scope;
};

// The tokens of a page: to the one before and the one after it, empty where there is none.
struct PageLinks {
  std::string prev;
  std::string next;
  friend bool operator==(const PageLinks&, const PageLinks&) = default;
};

// `last` is the key of the page's last project in the direction of reading if there are more
// behind it.
PageLinks LinksOf(const ProjectQuestion& question, const std::optional<std::string>& last,
                  const resource::PageTokens& tokens);

}  // namespace culvert::broker
