#include "broker/watch_view.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "broker/watch_digest.h"

namespace culvert::broker {
namespace {

using store::Project;

SharedItem ItemOf(std::string key, const Project& masked) {
  return std::make_shared<const ViewItem>(
      ViewItem{std::move(key), masked.name(), DigestOf(masked), masked.ByteSizeLong()});
}

bool IsSame(const SharedItem& a, const SharedItem& b) {
  return a == b || (a->name == b->name && a->key == b->key && a->digest == b->digest);
}

// The client's page, from a place on, while the steps are written.
class WorkingPage {
 public:
  explicit WorkingPage(std::span<const SharedItem> items) {
    for (const SharedItem& item : items) names_.push_back(&item->name);
  }

  size_t Find(const std::string& name) const {
    const auto found = std::find_if(names_.begin(), names_.end(),
                                    [&name](const std::string* one) { return *one == name; });
    return static_cast<size_t>(found - names_.begin());
  }
  void Remove(size_t place) { names_.erase(names_.begin() + static_cast<ptrdiff_t>(place)); }
  void Insert(size_t place, const std::string& name) {
    names_.insert(names_.begin() + static_cast<ptrdiff_t>(place), &name);
  }

 private:
  std::vector<const std::string*> names_;
};

// Those that stay with the key that they had are in the right order among themselves. In the order
// of the new page each other one is put right behind the one before it: when its turn comes, all
// before it have their places.
class Steps {
 public:
  // What differs between two pages, with so many equal ones before it.
  Steps(std::span<const SharedItem> before, std::span<const SharedItem> after, size_t offset)
      : offset_(offset), page_(before) {
    for (const SharedItem& item : before) had_.emplace(item->name, item.get());
    Remove(before, after);
    for (const SharedItem& item : after) Place(*item);
  }

  std::vector<ViewChange> Take() { return std::move(changes_); }

 private:
  using Kind = ViewChange::Kind;

  void Remove(std::span<const SharedItem> before, std::span<const SharedItem> after) {
    std::unordered_set<std::string_view> stays;
    for (const SharedItem& item : after) stays.insert(item->name);
    for (size_t place = before.size(); place-- > 0;) {
      if (stays.contains(before[place]->name)) continue;
      page_.Remove(place);
      Add(Kind::kRemoved, before[place]->name, place, std::nullopt);
    }
  }

  void Place(const ViewItem& item) {
    const ViewItem* const behind = std::exchange(previous_, &item);
    const auto old = had_.find(item.name);
    const bool is_new = old == had_.end();
    const bool stands = !is_new && old->second->key == item.key;
    if (stands && old->second->digest == item.digest) return;
    std::optional<size_t> from;
    if (!is_new) from = page_.Find(item.name);
    if (stands) {
      Add(Kind::kModified, item.name, from, from);
      return;
    }
    if (!is_new) page_.Remove(*from);
    const size_t to = behind == nullptr ? 0 : page_.Find(behind->name) + 1;
    page_.Insert(to, item.name);
    Add(is_new ? Kind::kAdded : Kind::kModified, item.name, from, to);
  }

  void Add(Kind kind, const std::string& name, std::optional<size_t> before,
           std::optional<size_t> after) {
    if (before) *before += offset_;
    if (after) *after += offset_;
    changes_.push_back({kind, name, before, after});
  }

  const size_t offset_;
  WorkingPage page_;
  std::unordered_map<std::string_view, const ViewItem*> had_;
  const ViewItem* previous_ = nullptr;
  std::vector<ViewChange> changes_;
};

}  // namespace

std::vector<ViewChange> ChangesBetween(const std::vector<SharedItem>& before,
                                       const std::vector<SharedItem>& after) {
  // Most of a page is as it was.
  const auto [first, first_after] =
      std::mismatch(before.begin(), before.end(), after.begin(), after.end(), IsSame);
  const auto same = static_cast<size_t>(first - before.begin());
  const auto [last, last_after] =
      std::mismatch(before.rbegin(), std::make_reverse_iterator(first), after.rbegin(),
                    std::make_reverse_iterator(first_after), IsSame);
  return Steps({first, last.base()}, {first_after, last_after.base()}, same).Take();
}

ProjectQuestion WatchView::Query() const {
  ProjectQuestion query = question_;
  query.page_size += kSpare;
  return query;
}

void WatchView::Reset(FoundPage page) {
  items_.clear();
  bodies_.clear();
  for (FoundProject& found : page.projects) {
    items_.push_back(ItemOf(std::move(found.key), found.project));
  }
  is_more_ = page.is_more;
  const bool is_cut = is_more_ && items_.size() < question_.page_size;
  limit_ = is_cut ? items_.size() : question_.page_size;
}

bool WatchView::Apply(const std::vector<SharedChange>& changes) {
  std::map<std::string, const store::ProjectChange*> last;  // by name
  for (const SharedChange& change : changes) last[change->latest().name()] = change.get();
  if (last.empty()) return false;
  // What is behind this is not known, and stays so.
  std::optional<std::string> horizon;
  if (is_more_ && !items_.empty()) horizon = items_.back()->key;
  bool is_touched = std::erase_if(items_, [&last](const SharedItem& item) {
                      return last.contains(item->name);
                    }) > 0;
  for (const auto& [name, change] : last) {
    if (!change->after || !question_.Matches(*change->after)) continue;
    const std::string key = question_.KeyOf(*change->after);
    if (!question_.IsAhead(key)) continue;
    const bool is_known =
        !is_more_ || (horizon && (key == *horizon || question_.IsReadBefore(key, *horizon)));
    if (!is_known) continue;
    Put(*change->after);
    is_touched = true;
  }
  const size_t most = question_.page_size + kSpare;
  if (items_.size() > most) {
    items_.resize(most);
    is_more_ = true;
  }
  if (bodies_.size() > most) bodies_.clear();
  return is_touched;
}

void WatchView::Put(const Project& project) {
  Project masked = question_.mask.Project(project);
  SharedItem item = ItemOf(question_.KeyOf(project), masked);
  bodies_[masked.name()] = std::move(masked);
  const auto place = std::upper_bound(items_.begin(), items_.end(), item,
                                      [this](const SharedItem& a, const SharedItem& b) {
                                        return question_.IsReadBefore(a->key, b->key);
                                      });
  items_.insert(place, std::move(item));
}

std::optional<Project> WatchView::TakeBody(const std::string& name) {
  const auto found = bodies_.find(name);
  if (found == bodies_.end()) return std::nullopt;
  return std::move(found->second);
}

size_t WatchView::page_length() const { return std::min(limit_, items_.size()); }

// A list ends its page with the project that makes it kMostAnswerBytes.
bool WatchView::MustBeRead() const {
  if (is_more_ && items_.size() < limit_) return true;
  const size_t length = page_length();
  size_t bytes = 0;  // without the last one
  for (size_t i = 0; i + 1 < length; ++i) bytes += items_[i]->bytes;
  if (length > 1 && bytes >= kMostAnswerBytes) return true;
  const bool is_cut = is_more_ && limit_ < question_.page_size;
  return is_cut && bytes + items_[length - 1]->bytes < kMostAnswerBytes;
}

std::vector<SharedItem> WatchView::Page() const {
  std::vector<SharedItem> page(items_.begin(),
                               items_.begin() + static_cast<ptrdiff_t>(page_length()));
  if (question_.IsLeft()) std::reverse(page.begin(), page.end());
  return page;
}

std::optional<std::string> WatchView::LastKey() const {
  if (items_.empty() || (!is_more_ && items_.size() <= limit_)) return std::nullopt;
  return items_[page_length() - 1]->key;
}

}  // namespace culvert::broker
