#include "broker/project_calls.h"

#include <fmt/format.h>
#include <google/protobuf/empty.pb.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/project_writes.h"
#include "resource/resource_name.h"
#include "rpc/codec.h"

namespace culvert::broker {
namespace {

// Names of one BatchGet.
constexpr int kMostInBatch = 1000;
// Of a request: a project, the state that one is to have, names and masks.
constexpr size_t kMostRequestBytes = size_t{256} * 1024;

namespace pb = ntt::proxies::v1;

using resource::Mask;
using store::Permission;
using store::Project;
using store::ProjectTable;
using Method = rpc::StreamInfo::Method;

template <class Message>
absl::StatusOr<Message> ParseRequest(const Bytes& bytes) {
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
      may_(store, hooks_.may_go_on),
      deleted_(loop, [this] { hooks_.on_deleted(); }),
      watchers_(loop, worker_),
      worker_(loop, std::move(projects), [this] { HandleChanges(); }) {}

ProjectCalls::~ProjectCalls() = default;

void ProjectCalls::CheckPermissions() {
  calls_.CheckPermissions();
  watchers_.CheckPermissions();
}

// --- from the call to the worker and back ---

absl::StatusOr<uint64_t> ProjectCalls::Keep(const Asking& asking, May may) {
  return calls_.Add(
      {asking.who.id.ToString(), asking.message.size(), may_.StillMay(asking.who, std::move(may))},
      asking.take);
}

absl::Status ProjectCalls::Begun(uint64_t call, const absl::Status& status) {
  if (!status.ok()) calls_.Finish(call, status);
  return absl::OkStatus();
}

absl::Status ProjectCalls::Run(const Asking& asking, May may,
                               const std::shared_ptr<AnswerSearch>& search) {
  CULVERT_ASSIGN_OR_RETURN(const uint64_t call, Keep(asking, std::move(may)));
  return Begun(call, worker_.Run(calls_.Client(call), search,
                                 [this, call, search](const absl::Status& status) {
                                   if (status.ok()) {
                                     calls_.Finish(call, search->TakeAnswer());
                                   } else {
                                     calls_.Finish(call, status);
                                   }
                                 }));
}

absl::Status ProjectCalls::Watch(const Asking& asking, May may,
                                 std::unique_ptr<ProjectWatch> watch) {
  return watchers_.Add(asking.who, std::move(watch), asking.take,
                       may_.StillMay(asking.who, std::move(may)));
}

absl::Status ProjectCalls::Write(
    const Asking& asking, May may,
    absl::AnyInvocable<absl::StatusOr<ProjectWrite>(ProjectTable&)> body) {
  CULVERT_ASSIGN_OR_RETURN(const uint64_t call, Keep(asking, std::move(may)));
  return Begun(call, worker_.Write<ProjectWrite>(
                         calls_.Client(call), std::move(body),
                         [this, call, event = asking.event](absl::StatusOr<ProjectWrite> written) {
                           FinishWrite(call, event, std::move(written));
                         }));
}

void ProjectCalls::FinishWrite(uint64_t call, AuditEvent event,
                               absl::StatusOr<ProjectWrite> written) {
  if (!written.ok()) {
    calls_.Finish(call, written.status());
    return;
  }
  using Effect = ProjectWrite::Effect;
  if (written->effect != Effect::kNone) {
    const bool is_new = written->effect == Effect::kMade;
    Record(std::move(event), is_new ? "made" : "changed", written->name);
  }
  calls_.Finish(call, rpc::FrameOf(written->answer));
}

void ProjectCalls::Record(AuditEvent event, std::string_view effect, const std::string& name) {
  event.kind = AuditKind::kProject;
  event.reason = fmt::format("{} {}", effect, name);
  hooks_.audit(event);
}

// --- the calls ---

absl::Status ProjectCalls::Answer(const Principal& who, Method method, const Bytes& message,
                                  const AuditEvent& event, TakeStream take) {
  loop_.AssertOnThread();
  if (message.size() > kMostRequestBytes) {
    return absl::InvalidArgumentError(
        fmt::format("the request has {} bytes (limit {})", message.size(), kMostRequestBytes));
  }
  const Asking asking{who, message, event, take};
  switch (method) {
    case Method::kGetProject:
      return Get(asking);
    case Method::kBatchGetProjects:
      return BatchGet(asking);
    case Method::kListProjects:
      return List(asking);
    case Method::kWatchProject:
      return WatchOne(asking);
    case Method::kWatchProjects:
      return WatchMany(asking);
    case Method::kCreateProject:
      return Create(asking);
    case Method::kUpdateProject:
      return Update(asking);
    case Method::kDeleteProject:
      return Delete(asking);
    default:
      return absl::UnimplementedError("not served here");
  }
}

absl::Status ProjectCalls::Get(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, ParseRequest<pb::GetProjectRequest>(asking.message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.name()));
  const May may =
      may_.MayInScope(asking.who, Permission::kGet, ProjectPermissions::ScopeFor(asking.who, id));
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_ASSIGN_OR_RETURN(Mask mask, ParseView(request.field_mask(), request.view()));
  return Run(asking, may, SearchOne(id, std::move(mask)));
}

absl::Status ProjectCalls::BatchGet(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(const auto request,
                           ParseRequest<pb::BatchGetProjectsRequest>(asking.message));
  if (request.names_size() > kMostInBatch) {
    return absl::InvalidArgumentError(
        fmt::format("names has {} entries (limit {})", request.names_size(), kMostInBatch));
  }
  std::vector<std::string> ids;
  ProjectScope scope{asking.who.id.project};
  for (const std::string& name : request.names()) {
    CULVERT_ASSIGN_OR_RETURN(ids.emplace_back(), ParseId(name));
    if (ids.back() != asking.who.id.project) scope = ProjectScope();
  }
  const May may = may_.MayInScope(asking.who, Permission::kBatchGet, scope);
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_ASSIGN_OR_RETURN(Mask mask, ParseView(request.field_mask(), request.view()));
  return Run(asking, may, SearchBatch(std::move(ids), std::move(mask)));
}

absl::Status ProjectCalls::List(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(ProjectScope scope, may_.ScopeOf(asking.who, Permission::kList));
  const May may = may_.MayInScope(asking.who, Permission::kList, scope);
  CULVERT_ASSIGN_OR_RETURN(const auto request,
                           ParseRequest<pb::ListProjectsRequest>(asking.message));
  CULVERT_ASSIGN_OR_RETURN(ProjectQuestion question,
                           ProjectQuestion::Parse(request, std::move(scope), tokens_));
  return Run(asking, may, SearchPage(std::move(question), tokens_));
}

absl::Status ProjectCalls::WatchOne(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(const auto request,
                           ParseRequest<pb::WatchProjectRequest>(asking.message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.name()));
  const May may =
      may_.MayInScope(asking.who, Permission::kWatch, ProjectPermissions::ScopeFor(asking.who, id));
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_ASSIGN_OR_RETURN(Mask mask, ParseWatchMask(request.field_mask(), request.view()));
  return Watch(asking, may, MakeSingleWatch(id, std::move(mask)));
}

absl::Status ProjectCalls::WatchMany(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(ProjectScope scope, may_.ScopeOf(asking.who, Permission::kWatch));
  const May may = may_.MayInScope(asking.who, Permission::kWatch, scope);
  CULVERT_ASSIGN_OR_RETURN(const auto request,
                           ParseRequest<pb::WatchProjectsRequest>(asking.message));
  CULVERT_ASSIGN_OR_RETURN(WatchQuestion question,
                           WatchQuestion::Parse(request, std::move(scope), tokens_));
  return Watch(asking, may,
               question.is_stateful ? MakeStatefulWatch(std::move(question), tokens_)
                                    : MakeStatelessWatch(std::move(question), tokens_));
}

absl::Status ProjectCalls::Create(const Asking& asking) {
  const May may = may_.MayInScope(asking.who, Permission::kCreate, ProjectScope());
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_ASSIGN_OR_RETURN(auto request, ParseRequest<pb::CreateProjectRequest>(asking.message));
  CULVERT_RETURN_IF_ERROR(CheckProjectSize(request.project()));
  return Write(asking, may, [request = std::move(request)](ProjectTable& projects) {
    return CreateProject(projects, request, WallNow());
  });
}

absl::Status ProjectCalls::Update(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(auto request, ParseRequest<pb::UpdateProjectRequest>(asking.message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.project().name()));
  const May may = may_.MayInScope(asking.who, Permission::kUpdate,
                                  ProjectPermissions::ScopeFor(asking.who, id));
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_RETURN_IF_ERROR(CheckProjectSize(request.project()));
  CULVERT_RETURN_IF_ERROR(CheckProjectSize(request.cas().conditional_state()));
  if (request.allow_missing() &&
      !may_.MayInScope(asking.who, Permission::kCreate, ProjectScope())().ok()) {
    request.set_allow_missing(false);
  }
  return Write(asking, may, [request = std::move(request)](ProjectTable& projects) {
    return UpdateProject(projects, request, WallNow());
  });
}

// On the control loop's own connection, because what goes with it is in the caches of its tables.
absl::Status ProjectCalls::Delete(const Asking& asking) {
  CULVERT_ASSIGN_OR_RETURN(const auto request,
                           ParseRequest<pb::DeleteProjectRequest>(asking.message));
  CULVERT_ASSIGN_OR_RETURN(const std::string id, ParseId(request.name()));
  const May may = may_.MayInScope(asking.who, Permission::kDelete,
                                  ProjectPermissions::ScopeFor(asking.who, id));
  CULVERT_RETURN_IF_ERROR(may());
  CULVERT_ASSIGN_OR_RETURN(const uint64_t call, Keep(asking, may));
  const absl::Status removed = store_.RemoveProject(id, WallNow());
  if (removed.ok()) {
    HandleChanges();
    Record(asking.event, "deleted", store::ProjectName(id));
    deleted_.Schedule();
  }
  if (removed.ok() || (absl::IsNotFound(removed) && request.allow_missing())) {
    calls_.Finish(call, rpc::FrameOf(google::protobuf::Empty()));
  } else {
    calls_.Finish(call, removed);
  }
  return absl::OkStatus();
}

}  // namespace culvert::broker
