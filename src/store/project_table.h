// The projects themselves, as the API has them, and the log of what changed.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/wall_time.h"
#include "ntt/proxies/v1/project.pb.h"

namespace culvert::store {

class Database;

using Project = ntt::proxies::v1::Project;

// "projects/ID".
std::string ProjectName(const std::string& id);
// The ID in the name of a project that is in the table.
std::string ProjectId(const std::string& name);
inline std::string ProjectId(const Project& project) { return ProjectId(project.name()); }

// One change of one project: of a creation there is no `before`, of a deletion no `after`.
struct ProjectChange {
  int64_t version = 0;  // one higher than the change before, of whichever project
  WallTime time;
  std::optional<Project> before;
  std::optional<Project> after;

  const Project& latest() const { return after ? *after : *before; }
};

// The orders in which projects can be read from anywhere on; each has the name as tie-break.
enum class ProjectIndex { kName, kCreateTime, kUpdateTime };

// Where a project is in an index.
struct ProjectPlace {
  WallTime time;  // of kCreateTime and kUpdateTime, in whole microseconds
  std::string id;
};

struct ProjectRange {
  ProjectIndex index = ProjectIndex::kName;
  bool backwards = false;
  std::optional<ProjectPlace> from =
      std::nullopt;  // the first place; none: from the end of the index
  bool including_from = false;
  size_t most = 0;
  // Bounds in the index, which are in it: ids of kName, times of the others. Of kName also these
  // ids alone, a hundred or so.
  std::optional<std::string> least_id = std::nullopt;
  std::optional<std::string> greatest_id = std::nullopt;
  std::optional<WallTime> since = std::nullopt;  // in whole microseconds, as is `until`
  std::optional<WallTime> until = std::nullopt;
  std::optional<std::vector<std::string>> ids = std::nullopt;
};

// For the body of a Database::Read or Write, whose thread it is confined to. What it reads is what
// it, or whoever committed last, has written.
class ProjectTable {
 public:
  explicit ProjectTable(Database& database) : database_(database) {}

  bool Has(const std::string& id);
  std::optional<Project> Find(const std::string& id);
  int64_t Count();
  // In order, until `visit` returns false.
  void Scan(const ProjectRange& range, absl::FunctionRef<bool(Project)> visit);
  // How many of the index come before `place`, or after it if backwards. Counts them all.
  int64_t CountBefore(const ProjectRange& range);

  // Sets what the broker sets in `metadata`: times, uuid, generation, resource_version. There must
  // be none of that name.
  void Insert(Project& project, WallTime now);
  // The same for a project that is there as `before` and has the same name. `generation` grows if
  // `is_new_spec`.
  void Replace(const Project& before, Project& after, bool is_new_spec, WallTime now);
  void Remove(const Project& before, WallTime now);
  // Makes resources of the rows of earlier versions of the broker.
  void AdoptOld(WallTime now);

  // What page and resume tokens are authenticated with. Secret.
  std::string TokenKey();

  // Of the last change; 0 before the first.
  int64_t Version();
  // Changes up to this one are not in the log any more.
  int64_t TrimmedVersion();
  // The next ones, the oldest first: at most `most`, and none once they have `most_bytes`.
  std::vector<ProjectChange> ChangesAfter(int64_t version, size_t most, size_t most_bytes);
  // The latest ones that are after `version`, the oldest first, with the same limits.
  std::vector<ProjectChange> LatestChanges(int64_t version, size_t most, size_t most_bytes);
  // The last change before `time`; never less than TrimmedVersion().
  int64_t VersionBefore(WallTime time);
  // Keeps the latest `kept` changes, fewer where they have more than `kept_bytes`; removes `most`
  // at a time until it is so.
  void Trim(int64_t kept, int64_t most, int64_t kept_bytes = std::numeric_limits<int64_t>::max());

 private:
  void Put(const Project& project, bool is_new, int64_t created_millis);
  std::vector<ProjectChange> Changes(const char* order, int64_t version, size_t most,
                                     size_t most_bytes);
  void Log(const Project* before, const Project* after, WallTime now);
  int64_t NextVersion();

  Database& database_;
};

}  // namespace culvert::store
