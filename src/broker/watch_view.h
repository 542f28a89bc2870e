// The page of a stateful watch: which projects are on it, and what tells a client that has the page
// as it was how to make the one that is now of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/project_question.h"
#include "broker/project_search.h"
#include "broker/recent_changes.h"

namespace culvert::broker {

// A project on the page.
struct ViewItem {
  std::string key;
  std::string name;
  std::string digest;  // of its masked fields
  size_t bytes = 0;    // of them
};

// Shared by the page that there is and the one that the client has.
using SharedItem = std::shared_ptr<const ViewItem>;

// One step from the page that the client has to the one that is now. Places are as the client
// counts them when it has taken the steps before.
struct ViewChange {
  enum class Kind { kAdded, kModified, kRemoved };
  Kind kind;
  std::string name;
  std::optional<size_t> before = std::nullopt;  // its place
  std::optional<size_t> after = std::nullopt;
};

// Both in the order of the list.
std::vector<ViewChange> ChangesBetween(const std::vector<SharedItem>& before,
                                       const std::vector<SharedItem>& after);

// What of the list is known from the page's border on: the page, and a few behind it, which take
// the places of those that go. Confined to one thread at a time.
class WatchView {
 public:
  // Known beyond the page.
  static constexpr size_t kSpare = 16;

  explicit WatchView(const ProjectQuestion& question) : question_(question) {}

  // The question that Reset wants the page of.
  ProjectQuestion Query() const;
  void Reset(FoundPage page);
  // What changed next, the oldest first. Whether any of it is about what is known.
  bool Apply(const std::vector<SharedChange>& changes);

  // Whether the page cannot be told from what is known: too few, or other ones than a list would
  // have on it now that they are larger or smaller. Query and Reset again.
  bool MustBeRead() const;
  // In the order of the list.
  std::vector<SharedItem> Page() const;
  // The key of the page's last project in the direction of reading, if there are more behind it.
  std::optional<std::string> LastKey() const;
  // The masked project as Apply saw it, once, since ForgetBodies; none: it is to be looked up.
  std::optional<store::Project> TakeBody(const std::string& name);
  void ForgetBodies() { bodies_.clear(); }

 private:
  void Put(const store::Project& project);
  size_t page_length() const;

  const ProjectQuestion& question_;
  std::vector<SharedItem> items_;  // in the direction of reading
  std::unordered_map<std::string, store::Project> bodies_;
  bool is_more_ = false;  // beyond the items: what is behind the last one is not known
  size_t limit_ = 0;      // of the page: less than was asked for where projects are large
};

}  // namespace culvert::broker
