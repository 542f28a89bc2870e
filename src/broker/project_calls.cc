#include "broker/project_calls.h"

#include <fmt/format.h>
#include <google/protobuf/empty.pb.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/project_list.h"
#include "broker/project_lookup.h"
#include "broker/project_search.h"
#include "broker/project_writes.h"
#include "resource/resource_name.h"
#include "rpc/codec.h"

namespace culvert::broker {
namespace {

// Names of one BatchGet.
constexpr int kMostInBatch = 1000;

namespace pb = ntt::proxies::v1;

using resource::Mask;
using store::Permission;
using store::Project;
using store::ProjectTable;
using Method = rpc::StreamInfo::Method;

template <class Message>
absl::StatusOr<Message> Parse(const Bytes& bytes) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return message;
  return absl::InvalidArgumentError("message does not parse");
}

// The id in the name of one project.
absl::StatusOr<std::string> ParseId(const std::string& name) {
  absl::StatusOr<std::string> id = resource::ParseResourceName(name, resource::kProjectKind);
  if (!id.ok() || *id != "-") return id;
  return absl::InvalidArgumentError(fmt::format("name \"{}\" is not of one project", name));
}

absl::StatusOr<Mask> ParseView(const google::protobuf::FieldMask& mask, goten::types::View view) {
  return Mask::Parse(mask, view, *Project::descriptor());
}

}  // namespace

class ProjectCalls::Call final : private rpc::Stream::Delegate {
 public:
  Call(ProjectCalls& calls, uint64_t id, std::unique_ptr<rpc::Stream> stream)
      : calls_(calls), id_(id), stream_(std::move(stream)) {
    stream_->SetDelegate(this);
  }

  void Finish(const absl::StatusOr<rpc::Frame>& answer) {
    if (answer.ok()) stream_->Write(*answer);
    stream_->Finish(answer.status());
  }

 private:
  void OnMessage(Bytes) override {}
  void OnWritten() override {}
  void OnEnd(absl::Status) override { calls_.calls_.erase(id_); }  // and this

  ProjectCalls& calls_;
  const uint64_t id_;
  std::unique_ptr<rpc::Stream> stream_;
};

absl::StatusOr<std::unique_ptr<ProjectCalls>> ProjectCalls::Make(
    net::EventLoop& loop, store::Store& store, std::unique_ptr<store::ProjectStore> projects,
    Hooks hooks) {
  std::string key;
  CULVERT_RETURN_IF_ERROR(projects->Read([&key](ProjectTable& table) {
    key = table.TokenKey();
    return absl::OkStatus();
  }));
  return std::unique_ptr<ProjectCalls>(
      new ProjectCalls(loop, store, std::move(projects), key, std::move(hooks)));
}

ProjectCalls::ProjectCalls(net::EventLoop& loop, store::Store& store,
                           std::unique_ptr<store::ProjectStore> projects,
                           const std::string& token_key, Hooks hooks)
    : loop_(loop),
      store_(store),
      tokens_(token_key),
      hooks_(std::move(hooks)),
      watchers_(loop, worker_),
      worker_(loop, std::move(projects), [this] { HandleChanges(); }) {}

ProjectCalls::~ProjectCalls() = default;

absl::Status ProjectCalls::Evaluate(const Principal& who, Permission permission,
                                    bool of_all_projects) const {
  store::Request request;
  request.permission = permission;
  request.of_all_projects = of_all_projects;
  const store::Decision decision =
      store_.policy().current()->Evaluate(store::Principal::From(who.id, who.key), request);
  return decision.allowed ? absl::OkStatus() : absl::PermissionDeniedError(decision.reason);
}

absl::Status ProjectCalls::MayAll(const Principal& who, Permission permission) const {
  return Evaluate(who, permission, /*of_all_projects=*/true);
}

absl::Status ProjectCalls::May(const Principal& who, Permission permission,
                               const std::string& id) const {
  return Evaluate(who, permission, id != who.id.project);
}

absl::StatusOr<ProjectScope> ProjectCalls::ScopeOf(const Principal& who,
                                                   Permission permission) const {
  if (MayAll(who, permission).ok()) return ProjectScope();
  CULVERT_RETURN_IF_ERROR(May(who, permission, who.id.project));
  return ProjectScope{who.id.project};
}

uint64_t ProjectCalls::Keep(std::unique_ptr<rpc::Stream> stream) {
  const uint64_t id = ++last_call_;
  calls_.emplace(id, std::make_unique<Call>(*this, id, std::move(stream)));
  return id;
}

void ProjectCalls::Finish(uint64_t call, const absl::StatusOr<rpc::Frame>& answer) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  found->second->Finish(answer);
  calls_.erase(found);
}

absl::Status ProjectCalls::Begun(uint64_t call, const absl::Status& status) {
  if (!status.ok()) Finish(call, status);
  return absl::OkStatus();
}

void ProjectCalls::FinishWrite(uint64_t call, AuditEvent asked,
                               absl::StatusOr<ProjectWrite> written) {
  if (!written.ok()) {
    Finish(call, written.status());
    return;
  }
  using Effect = ProjectWrite::Effect;
  if (written->effect != Effect::kNone) {
    const bool is_new = written->effect == Effect::kMade;
    Record(std::move(asked), is_new ? "made" : "changed", written->name);
  }
  Finish(call, rpc::FrameOf(written->answer));
}

void ProjectCalls::Record(AuditEvent asked, std::string_view effect, const std::string& name) {
  asked.kind = AuditKind::kProject;
  asked.reason = fmt::format("{} {}", effect, name);
  hooks_.audit(asked);
}

absl::Status ProjectCalls::Answer(const Principal& who, Method method, const Bytes& message,
                                  const AuditEvent& asked, TakeStream take) {
  loop_.AssertOnThread();
  switch (method) {
    case Method::kGetProject:
      return Get(who, message, take);
    case Method::kBatchGetProjects:
      return BatchGet(who, message, take);
    case Method::kListProjects:
      return List(who, message, take);
    case Method::kWatchProject:
      return WatchOne(who, message, take);
    case Method::kWatchProjects:
      return WatchMany(who, message, take);
    case Method::kCreateProject:
      return Create(who, message, asked, take);
    case Method::kUpdateProject:
      return Update(who, message, asked, take);
    case Method::kDeleteProject:
      return Delete(who, message, asked, take);
    default:
      return absl::UnimplementedError("not served here");
  }
}

absl::Status ProjectCalls::Get(const Principal& who, const Bytes& message, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::GetProjectRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.name()));
  CULVERT_RETURN_IF_ERROR(May(who, Permission::kGet, id));
  CULVERT_ASSIGN_OR_RETURN(Mask mask, ParseView(request.field_mask(), request.view()));
  auto lookup = std::make_shared<ProjectLookup>(std::vector{id}, std::move(mask));
  const uint64_t call = Keep(take());
  return Begun(call, worker_.Run(lookup, [this, call, lookup](const absl::Status& status) {
    Finish(call, status.ok() ? lookup->One() : status);
  }));
}

absl::Status ProjectCalls::BatchGet(const Principal& who, const Bytes& message, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::BatchGetProjectsRequest>(message));
  if (request.names_size() > kMostInBatch) {
    return absl::InvalidArgumentError(
        fmt::format("names has {} entries (limit {})", request.names_size(), kMostInBatch));
  }
  std::vector<std::string> ids;
  for (const std::string& name : request.names()) {
    CULVERT_ASSIGN_OR_RETURN(ids.emplace_back(), ParseId(name));
    CULVERT_RETURN_IF_ERROR(May(who, Permission::kBatchGet, ids.back()));
  }
  CULVERT_ASSIGN_OR_RETURN(Mask mask, ParseView(request.field_mask(), request.view()));
  auto lookup = std::make_shared<ProjectLookup>(std::move(ids), std::move(mask));
  const uint64_t call = Keep(take());
  return Begun(call, worker_.Run(lookup, [this, call, lookup](const absl::Status& status) {
    Finish(call, status.ok() ? absl::StatusOr<rpc::Frame>(lookup->All()) : status);
  }));
}

absl::Status ProjectCalls::List(const Principal& who, const Bytes& message, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(ProjectScope scope, ScopeOf(who, Permission::kList));
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::ListProjectsRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(ProjectQuestion question,
                           ProjectQuestion::Parse(request, std::move(scope), tokens_));
  auto search = PageSearch::Make(std::move(question));
  const uint64_t call = Keep(take());
  return Begun(call, worker_.Run(search, [this, call, search](const absl::Status& status) {
    if (!status.ok()) {
      Finish(call, status);
    } else {
      Finish(call, rpc::FrameOf(ListAnswer(search->question(), search->TakePage(), tokens_)));
    }
  }));
}

absl::Status ProjectCalls::WatchOne(const Principal& who, const Bytes& message, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::WatchProjectRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.name()));
  const auto may = [this, who, id] { return May(who, Permission::kWatch, id); };
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_ASSIGN_OR_RETURN(Mask mask, ParseWatchMask(request.field_mask(), request.view()));
  return Watch(who, MakeSingleWatch(id, std::move(mask)), take, may);
}

absl::Status ProjectCalls::WatchMany(const Principal& who, const Bytes& message, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(ProjectScope scope, ScopeOf(who, Permission::kWatch));
  const auto may = [this, who, is_of_all = !scope.only] {
    return is_of_all ? MayAll(who, Permission::kWatch)
                     : May(who, Permission::kWatch, who.id.project);
  };
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::WatchProjectsRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(WatchQuestion question,
                           WatchQuestion::Parse(request, std::move(scope), tokens_));
  return Watch(who,
               question.is_stateful ? MakeStatefulWatch(std::move(question), tokens_)
                                    : MakeStatelessWatch(std::move(question), tokens_),
               take, may);
}

absl::Status ProjectCalls::Watch(const Principal& who, std::unique_ptr<ProjectWatch> watch,
                                 TakeStream take, std::function<absl::Status()> may) {
  return watchers_.Add(who, std::move(watch), take, [this, who, may = std::move(may)] {
    CULVERT_RETURN_IF_ERROR(hooks_.may_go_on(who));
    return may();
  });
}

absl::Status ProjectCalls::Write(
    const AuditEvent& asked, TakeStream take,
    absl::AnyInvocable<absl::StatusOr<ProjectWrite>(ProjectTable&)> body) {
  const uint64_t call = Keep(take());
  return Begun(
      call, worker_.Write<ProjectWrite>(std::move(body),
                                        [this, call, asked](absl::StatusOr<ProjectWrite> written) {
                                          FinishWrite(call, asked, std::move(written));
                                        }));
}

absl::Status ProjectCalls::Create(const Principal& who, const Bytes& message,
                                  const AuditEvent& asked, TakeStream take) {
  CULVERT_RETURN_IF_ERROR(MayAll(who, Permission::kCreate));
  CULVERT_ASSIGN_OR_RETURN(auto request, Parse<pb::CreateProjectRequest>(message));
  return Write(asked, take, [request = std::move(request)](ProjectTable& projects) {
    return CreateProject(projects, request, WallNow());
  });
}

absl::Status ProjectCalls::Update(const Principal& who, const Bytes& message,
                                  const AuditEvent& asked, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(auto request, Parse<pb::UpdateProjectRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.project().name()));
  CULVERT_RETURN_IF_ERROR(May(who, Permission::kUpdate, id));
  if (request.allow_missing() && !MayAll(who, Permission::kCreate).ok()) {
    request.set_allow_missing(false);
  }
  return Write(asked, take, [request = std::move(request)](ProjectTable& projects) {
    return UpdateProject(projects, request, WallNow());
  });
}

// On the control loop's own connection, because what goes with it is in the caches of its tables.
absl::Status ProjectCalls::Delete(const Principal& who, const Bytes& message,
                                  const AuditEvent& asked, TakeStream take) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, Parse<pb::DeleteProjectRequest>(message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.name()));
  CULVERT_RETURN_IF_ERROR(May(who, Permission::kDelete, id));
  absl::Status removed = store_.RemoveProject(id, WallNow());
  const bool is_missing = absl::IsNotFound(removed) && request.allow_missing();
  if (!removed.ok() && !is_missing) return removed;
  if (removed.ok()) {
    HandleChanges();
    Record(asked, "deleted", store::ProjectName(id));
    hooks_.on_deleted();
  }
  Finish(Keep(take()), rpc::FrameOf(google::protobuf::Empty()));
  return absl::OkStatus();
}

}  // namespace culvert::broker
