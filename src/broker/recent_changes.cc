#include "broker/recent_changes.h"

#include <algorithm>
#include <utility>

namespace culvert::broker {
namespace {

using store::ProjectChange;

size_t BytesOf(const ProjectChange& change) {
  return sizeof(ProjectChange) + (change.before ? change.before->SpaceUsedLong() : 0) +
         (change.after ? change.after->SpaceUsedLong() : 0);
}

}  // namespace

void RecentChanges::Refresh(store::ProjectTable& projects) {
  const int64_t version = projects.Version();
  trimmed_ = projects.TrimmedVersion();
  if (version_ == version) return;
  if (version_ > version) version_ = 0;  // on another copy of the store
  std::vector<ProjectChange> latest = projects.LatestChanges(version_, kMostKept, kMostBytes);
  // The first time, or too far behind.
  if (latest.empty() || latest.front().version != version_ + 1) {
    kept_.clear();
    bytes_ = 0;
    begin_ = latest.empty() ? version : latest.front().version - 1;
  }
  for (ProjectChange& change : latest) Add(std::move(change));
  version_ = version;
}

void RecentChanges::Add(ProjectChange change) {
  bytes_ += BytesOf(change);
  kept_.push_back(std::make_shared<const ProjectChange>(std::move(change)));
  while (kept_.size() > 1 && (kept_.size() > kMostKept || bytes_ > kMostBytes)) {
    begin_ = kept_.front()->version;
    bytes_ -= BytesOf(*kept_.front());
    kept_.pop_front();
  }
}

std::vector<SharedChange> RecentChanges::After(store::ProjectTable& projects, int64_t version,
                                               size_t most) const {
  std::vector<SharedChange> changes;
  if (version < begin_) {
    for (ProjectChange& change : projects.ChangesAfter(version, most, kMostReadBytes)) {
      changes.push_back(std::make_shared<const ProjectChange>(std::move(change)));
    }
    return changes;
  }
  auto next = std::upper_bound(
      kept_.begin(), kept_.end(), version,
      [](int64_t after, const SharedChange& change) { return after < change->version; });
  for (; next != kept_.end() && changes.size() < most; ++next) changes.push_back(*next);
  return changes;
}

bool RecentChanges::MayHaveChanged(const std::string& name, int64_t version) const {
  if (version < begin_ || version > version_) return true;
  return std::any_of(kept_.begin(), kept_.end(), [&](const SharedChange& change) {
    return change->version > version && change->latest().name() == name;
  });
}

}  // namespace culvert::broker
