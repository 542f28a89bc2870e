// One watch of projects: what its client is to be sent, computed in steps beside the loop. What is
// sent comes from the table and the log of changes, so that a watch has no queue: one that is slow
// is behind in the log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/project_question.h"
#include "broker/project_worker.h"
#include "broker/recent_changes.h"
#include "ntt/proxies/v1/project_change.pb.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "resource/page_token.h"
#include "rpc/stream.h"
#include "store/project_table.h"

namespace culvert::broker {

// Confined to one thread at a time.
class ProjectWatch {
 public:
  struct Step {
    std::vector<rpc::Frame> frames;
    // Nothing follows until projects change.
    bool is_idle = false;
  };

  virtual ~ProjectWatch() = default;

  // Not on the loop; a transaction in which `changes` were refreshed. Looks at one project or
  // change at least, and at no further one once `end` has come, so a step may come without frames
  // though others follow. An error ends the watch.
  virtual absl::StatusOr<Step> Advance(store::ProjectTable& projects, const RecentChanges& changes,
                                       StepEnd end = StepEnd::Never()) = 0;
};

// What a WatchProjects asks for, checked.
struct WatchQuestion {
  // INVALID_ARGUMENT for what does not parse, and for what is not of the type of watch.
  static absl::StatusOr<WatchQuestion> Parse(const ntt::proxies::v1::WatchProjectsRequest& request,
                                             ProjectScope scope,
                                             const resource::PageTokens& tokens);

  ProjectQuestion projects;  // its mask has the name
  bool is_stateful = false;
  size_t chunk = 0;  // changes in a message; 0: not divided
  // Of stateless ones: where the log is to be followed from, instead of from a snapshot on.
  std::optional<int64_t> resume_after = std::nullopt;
  std::optional<WallTime> starting_time = std::nullopt;
};

// Changes in one message of a stateless watch where a request does not say, and at most of any.
inline constexpr int32_t kDefaultChunk = 100;
inline constexpr int32_t kMostInChunk = 1000;

// A page of the list, which is kept as ListProjects would answer it at that moment: Added, Modified
// and Removed with their places in it, and the tokens of the pages beside it.
std::unique_ptr<ProjectWatch> MakeStatefulWatch(WatchQuestion question,
                                                const resource::PageTokens& tokens);

// All that matches: a snapshot, then each change (Current and Removed), with tokens to resume
// after. Where the log does not have what follows a token any more, a hard reset and a snapshot.
std::unique_ptr<ProjectWatch> MakeStatelessWatch(WatchQuestion question,
                                                 const resource::PageTokens& tokens);

// One project, by its id: Added, Modified, Removed. NOT_FOUND if it is not there at first.
std::unique_ptr<ProjectWatch> MakeSingleWatch(std::string id, resource::Mask mask);

// The mask of a watch: with the name, by which clients tell projects apart.
absl::StatusOr<resource::Mask> ParseWatchMask(const google::protobuf::FieldMask& mask,
                                              goten::types::View view);

}  // namespace culvert::broker
