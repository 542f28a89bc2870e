#include "broker/watch_view.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "broker/project_writes.h"
#include "broker/watch_digest.h"

namespace culvert::broker {
namespace {

using store::Project;

// The client's page while the steps are written.
class WorkingPage {
 public:
  explicit WorkingPage(const std::vector<ViewItem>& items) {
    for (const ViewItem& item : items) names_.push_back(item.name);
  }

  size_t Find(const std::string& name) const {
    return static_cast<size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
  }
  void Remove(size_t place) { names_.erase(names_.begin() + static_cast<ptrdiff_t>(place)); }
  void Insert(size_t place, const std::string& name) {
    names_.insert(names_.begin() + static_cast<ptrdiff_t>(place), name);
  }

 private:
  std::vector<std::string> names_;
};

size_t SumOfBytes(const std::vector<ViewItem>& items, size_t count) {
  return std::accumulate(items.begin(), items.begin() + static_cast<ptrdiff_t>(count), size_t{0},
                         [](size_t sum, const ViewItem& item) { return sum + item.bytes; });
}

}  // namespace

// Those that stay with the key that they had are in the right order among themselves. In the order
// of the new page each other one is put right behind the one before it: when its turn comes, all
// before it have their places.
std::vector<ViewChange> ChangesBetween(const std::vector<ViewItem>& before,
                                       const std::vector<ViewItem>& after) {
  using Kind = ViewChange::Kind;
  std::vector<ViewChange> changes;
  std::unordered_map<std::string_view, const ViewItem*> had;
  std::unordered_map<std::string_view, const ViewItem*> stays;
  for (const ViewItem& item : before) had.emplace(item.name, &item);
  for (const ViewItem& item : after) stays.emplace(item.name, &item);
  WorkingPage page(before);
  for (size_t place = before.size(); place-- > 0;) {
    if (stays.contains(before[place].name)) continue;
    page.Remove(place);
    changes.push_back({Kind::kRemoved, before[place].name, place});
  }
  const std::string* previous = nullptr;
  for (const ViewItem& item : after) {
    const auto old = had.find(item.name);
    const bool is_new = old == had.end();
    const bool stands = !is_new && old->second->key == item.key;
    const std::string* const behind = std::exchange(previous, &item.name);
    if (stands && old->second->digest == item.digest) continue;
    std::optional<size_t> from;
    if (!is_new) from = page.Find(item.name);
    if (stands) {
      changes.push_back({Kind::kModified, item.name, from, from});
      continue;
    }
    if (!is_new) page.Remove(*from);
    const size_t to = behind == nullptr ? 0 : page.Find(*behind) + 1;
    page.Insert(to, item.name);
    changes.push_back({is_new ? Kind::kAdded : Kind::kModified, item.name, from, to});
  }
  return changes;
}

ProjectQuestion WatchView::Query() const {
  ProjectQuestion query = question_;
  query.page_size += kSpare;
  return query;
}

void WatchView::Reset(FoundPage page) {
  items_.clear();
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
  if (is_more_ && !items_.empty()) horizon = items_.back().key;
  bool is_touched =
      std::erase_if(items_, [&last](const ViewItem& item) { return last.contains(item.name); }) > 0;
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
  return is_touched;
}

ViewItem WatchView::ItemOf(std::string key, const Project& masked) const {
  return {std::move(key), masked.name(), DigestOf(masked), masked.ByteSizeLong()};
}

void WatchView::Put(const Project& project) {
  ViewItem item = ItemOf(question_.KeyOf(project), question_.mask.Project(project));
  const auto place = std::upper_bound(items_.begin(), items_.end(), item,
                                      [this](const ViewItem& a, const ViewItem& b) {
                                        return question_.IsReadBefore(a.key, b.key);
                                      });
  items_.insert(place, std::move(item));
}

size_t WatchView::page_length() const { return std::min(limit_, items_.size()); }

bool WatchView::IsShort() const {
  if (is_more_ && items_.size() < limit_) return true;
  return page_length() > 1 &&
         SumOfBytes(items_, page_length()) > kMostAnswerBytes + kMaxProjectBytes;
}

std::vector<ViewItem> WatchView::Page() const {
  std::vector<ViewItem> page(items_.begin(),
                             items_.begin() + static_cast<ptrdiff_t>(page_length()));
  if (question_.IsLeft()) std::reverse(page.begin(), page.end());
  return page;
}

std::optional<std::string> WatchView::LastKey() const {
  if (items_.empty() || (!is_more_ && items_.size() <= limit_)) return std::nullopt;
  return items_[page_length() - 1].key;
}

}  // namespace culvert::broker
