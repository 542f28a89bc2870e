// The calls of ntt.proxies ProjectService, in both versions, whose messages are the same on the
// wire.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "broker/audit_event.h"
#include "broker/principal.h"
#include "broker/project_answers.h"
#include "broker/project_permissions.h"
#include "broker/project_watchers.h"
#include "broker/project_worker.h"
#include "broker/project_writes.h"
#include "broker/waiting_calls.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "resource/page_token.h"
#include "rpc/stream_info.h"
#include "store/store.h"

namespace culvert::broker {

// Confined to the control loop.
class ProjectCalls {
 public:
  struct Hooks {
    // Projects are gone: whatever is of them must end. Called on the loop, in the same turn.
    std::function<void()> on_deleted;
    std::function<void(const AuditEvent&)> audit;
    // Whether who watches is still who it was: its key, its token, its project.
    std::function<absl::Status(const Principal&)> may_go_on;
  };

  // `store` outlives it; `projects` is of the same directory.
  static absl::StatusOr<std::unique_ptr<ProjectCalls>> Make(
      net::EventLoop& loop, store::Store& store, std::unique_ptr<store::ProjectStore> projects,
      Hooks hooks);
  ~ProjectCalls();

  using TakeStream = WaitingCalls::TakeStream;

  // Takes the stream and answers, most often in a later turn, or refuses now. Whether `who` may is
  // asked of the policy. `asked` is what a record of it begins with.
  absl::Status Answer(const Principal& who, rpc::StreamInfo::Method method, const Bytes& message,
                      const AuditEvent& asked, TakeStream take);

  // Others may have made projects.
  void HandleChanges() { watchers_.HandleChanges(); }
  // The policy or the revoked keys have changed: ends watches, and calls that wait, that are not
  // allowed any more.
  void CheckPermissions();
  // Ends all watches.
  void EndWatches(const absl::Status& why) { watchers_.EndAll(why); }

 private:
  // One call, as it is asked for.
  struct Asking {
    const Principal& who;
    const Bytes& message;
    const AuditEvent& event;
    TakeStream take;
  };
  using May = ProjectPermissions::May;

  ProjectCalls(net::EventLoop& loop, store::Store& store,
               std::unique_ptr<store::ProjectStore> projects, const std::string& token_key,
               Hooks hooks);

  absl::Status Get(const Asking& asking);
  absl::Status BatchGet(const Asking& asking);
  absl::Status List(const Asking& asking);
  absl::Status WatchOne(const Asking& asking);
  absl::Status WatchMany(const Asking& asking);
  absl::Status Create(const Asking& asking);
  absl::Status Update(const Asking& asking);
  absl::Status Delete(const Asking& asking);

  // The answer is what the search has made.
  absl::Status Run(const Asking& asking, May may, const std::shared_ptr<AnswerSearch>& search);
  absl::Status Watch(const Asking& asking, May may, std::unique_ptr<ProjectWatch> watch);
  absl::Status Write(const Asking& asking, May may,
                     absl::AnyInvocable<absl::StatusOr<ProjectWrite>(store::ProjectTable&)> body);
  absl::StatusOr<uint64_t> Keep(const Asking& asking, May may);
  // For what the worker did not take.
  absl::Status Begun(uint64_t call, const absl::Status& status);
  void FinishWrite(uint64_t call, AuditEvent event, absl::StatusOr<ProjectWrite> written);
  void Record(AuditEvent event, std::string_view effect, const std::string& name);

  net::EventLoop& loop_;
  store::Store& store_;
  const resource::PageTokens tokens_;
  const Hooks hooks_;
  const ProjectPermissions may_;
  net::Deferred deleted_;  // what goes with a deletion looks at everything there is
  WaitingCalls calls_;
  ProjectWatchers watchers_;
  ProjectWorker worker_;  // goes first: no callback after it
};

}  // namespace culvert::broker
