// The latest changes of projects in memory, for many watches that follow the log at its end.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/project_table.h"

namespace culvert::broker {

using SharedChange = std::shared_ptr<const store::ProjectChange>;

// Confined to one thread at a time. Inside one transaction: Refresh, then the others.
class RecentChanges {
 public:
  // Changes, and their bytes in memory, that are kept; one change more than that where it is large.
  static constexpr size_t kMostKept = 1024;
  static constexpr size_t kMostBytes = size_t{8} * 1024 * 1024;
  // Bytes in the store that one call of After reads for who is further behind.
  static constexpr size_t kMostReadBytes = size_t{1} * 1024 * 1024;

  // Reads what was changed since the last time.
  void Refresh(store::ProjectTable& projects);

  // Of the last change.
  int64_t version() const { return version_; }
  // Whether the log has every change after `version`: neither was it trimmed beyond it, nor is it
  // that of an older copy of the store.
  bool HasAllAfter(int64_t version) const { return version >= trimmed_ && version <= version_; }

  // The next changes after `version`, of which the log has all, the oldest first: some of them,
  // none after the last one.
  std::vector<SharedChange> After(store::ProjectTable& projects, int64_t version,
                                  size_t most) const;
  // Whether one project may have changed since: true if that is not known here.
  bool MayHaveChanged(const std::string& name, int64_t version) const;

 private:
  void Add(store::ProjectChange change);

  int64_t version_ = 0;
  int64_t trimmed_ = 0;
  int64_t begin_ = 0;  // kept are those after it
  std::deque<SharedChange> kept_;
  size_t bytes_ = 0;  // of them
};

}  // namespace culvert::broker
