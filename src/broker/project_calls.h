// The calls of ntt.proxies ProjectService, in both versions, whose messages are the same on the
// wire.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "broker/audit_event.h"
#include "broker/principal.h"
#include "broker/project_question.h"
#include "broker/project_watchers.h"
#include "broker/project_worker.h"
#include "broker/project_writes.h"
#include "net/event_loop.h"
#include "resource/page_token.h"
#include "rpc/stream.h"
#include "rpc/stream_info.h"
#include "store/permission.h"
#include "store/store.h"

namespace culvert::broker {

// Confined to the control loop.
class ProjectCalls {
 public:
  struct Hooks {
    // A project is gone: whatever is of it must end. Called at once, on the loop.
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

  // Gives the stream, which is then answered.
  using TakeStream = absl::FunctionRef<std::unique_ptr<rpc::Stream>()>;

  // Takes the stream and answers, most often in a later turn, or refuses now. Whether `who` may is
  // asked of the policy. `asked` is what a record of it begins with.
  absl::Status Answer(const Principal& who, rpc::StreamInfo::Method method, const Bytes& message,
                      const AuditEvent& asked, TakeStream take);

  // Others may have made projects.
  void HandleChanges() { watchers_.HandleChanges(); }
  // The policy or the revoked keys have changed: ends watches that are not allowed any more.
  void CheckPermissions() { watchers_.CheckPermissions(); }
  // Ends all watches.
  void EndWatches(const absl::Status& why) { watchers_.EndAll(why); }

 private:
  class Call;

  ProjectCalls(net::EventLoop& loop, store::Store& store,
               std::unique_ptr<store::ProjectStore> projects, const std::string& token_key,
               Hooks hooks);

  absl::Status Evaluate(const Principal& who, store::Permission permission,
                        bool of_all_projects) const;
  // PERMISSION_DENIED unless `who` may do that to this project.
  absl::Status May(const Principal& who, store::Permission permission, const std::string& id) const;
  // The same for all projects.
  absl::Status MayAll(const Principal& who, store::Permission permission) const;
  // All projects, or the own one where `who` may do that to no other.
  absl::StatusOr<ProjectScope> ScopeOf(const Principal& who, store::Permission permission) const;

  absl::Status Get(const Principal& who, const Bytes& message, TakeStream take);
  absl::Status BatchGet(const Principal& who, const Bytes& message, TakeStream take);
  absl::Status List(const Principal& who, const Bytes& message, TakeStream take);
  absl::Status Create(const Principal& who, const Bytes& message, const AuditEvent& asked,
                      TakeStream take);
  absl::Status Update(const Principal& who, const Bytes& message, const AuditEvent& asked,
                      TakeStream take);
  absl::Status Delete(const Principal& who, const Bytes& message, const AuditEvent& asked,
                      TakeStream take);

  // Has the stream until its answer is there or its client goes away.
  uint64_t Keep(std::unique_ptr<rpc::Stream> stream);
  void Finish(uint64_t call, const absl::StatusOr<rpc::Frame>& answer);
  // For what the worker did not take.
  absl::Status Begun(uint64_t call, const absl::Status& status);
  // A write, which `asked` describes; then its answer.
  absl::Status Write(const AuditEvent& asked, TakeStream take,
                     absl::AnyInvocable<absl::StatusOr<ProjectWrite>(store::ProjectTable&)> body);
  void FinishWrite(uint64_t call, AuditEvent asked, absl::StatusOr<ProjectWrite> written);
  void Record(AuditEvent asked, std::string_view effect, const std::string& name);
  absl::Status WatchOne(const Principal& who, const Bytes& message, TakeStream take);
  absl::Status WatchMany(const Principal& who, const Bytes& message, TakeStream take);
  // `may` says whether the policy lets it go on.
  absl::Status Watch(const Principal& who, std::unique_ptr<ProjectWatch> watch, TakeStream take,
                     std::function<absl::Status()> may);

  net::EventLoop& loop_;
  store::Store& store_;
  const resource::PageTokens tokens_;
  const Hooks hooks_;
  uint64_t last_call_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Call>> calls_;
  ProjectWatchers watchers_;
  ProjectWorker worker_;  // goes first: no callback after it
};

}  // namespace culvert::broker
