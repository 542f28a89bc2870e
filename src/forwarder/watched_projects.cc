#include "forwarder/watched_projects.h"

#include <utility>

namespace culvert::forwarder {

using ntt::proxies::v1::Project;
using ntt::proxies::v1::WatchProjectsResponse;

const char* NameOf(ProjectEvent::Type type) {
  switch (type) {
    case ProjectEvent::Type::kAdded:
      return "ADDED";
    case ProjectEvent::Type::kModified:
      return "MODIFIED";
    case ProjectEvent::Type::kDeleted:
      return "DELETED";
    case ProjectEvent::Type::kBookmark:
      return "BOOKMARK";
  }
  return "";
}

std::vector<ProjectEvent> WatchedProjects::Take(WatchProjectsResponse message) {
  std::vector<ProjectEvent> events;
  if (message.is_hard_reset()) {
    resume_token_.clear();
    BeginSnapshot();
    return events;
  }
  if (message.is_soft_reset()) {
    pending_.clear();
    if (state_ == State::kSnapshot) BeginSnapshot();
    return events;
  }
  for (Change& change : *message.mutable_project_changes()) {
    if (state_ == State::kFollowing) {
      pending_.push_back(std::move(change));
    } else {
      TakeChange(std::move(change), &events);
    }
  }
  if (message.is_current() || pending_.size() > kMostPending) TakePending(&events);
  if (!message.is_current()) return events;
  if (state_ == State::kSnapshot) EndSnapshot(&events);
  if (message.resume_token().empty() || message.resume_token() == resume_token_) return events;
  resume_token_ = message.resume_token();
  if (events.empty()) events.push_back({ProjectEvent::Type::kBookmark});
  events.back().resume_token = resume_token_;
  return events;
}

void WatchedProjects::Restart() {
  pending_.clear();
  // What began with changes begins with the same ones again.
  if (resume_token_.empty() && start_ == Start::kSnapshot) BeginSnapshot();
}

void WatchedProjects::BeginSnapshot() {
  state_ = State::kSnapshot;
  start_ = Start::kSnapshot;
  ++snapshot_;
  pending_.clear();
}

// What was known before and is not in it has gone meanwhile.
void WatchedProjects::EndSnapshot(std::vector<ProjectEvent>* events) {
  state_ = State::kFollowing;
  for (auto known = known_.begin(); known != known_.end();) {
    if (known->second.snapshot == snapshot_) {
      ++known;
      continue;
    }
    ProjectEvent event{ProjectEvent::Type::kDeleted};
    event.project.set_name(known->first);
    events->push_back(std::move(event));
    known = known_.erase(known);
  }
}

void WatchedProjects::TakePending(std::vector<ProjectEvent>* events) {
  for (Change& change : pending_) TakeChange(std::move(change), events);
  pending_.clear();
}

void WatchedProjects::TakeChange(Change change, std::vector<ProjectEvent>* events) {
  switch (change.change_type_case()) {
    case Change::kAdded:
      return TakeProject(std::move(*change.mutable_added()->mutable_project()), events);
    case Change::kModified:
      return TakeProject(std::move(*change.mutable_modified()->mutable_project()), events);
    case Change::kCurrent:
      return TakeProject(std::move(*change.mutable_current()->mutable_project()), events);
    case Change::kRemoved:
      return TakeRemoved(change.removed().name(), events);
    case Change::CHANGE_TYPE_NOT_SET:
      return;
  }
}

void WatchedProjects::TakeProject(Project project, std::vector<ProjectEvent>* events) {
  const goten::types::Meta& meta = project.metadata();
  const auto [known, is_new] = known_.try_emplace(project.name());
  const bool is_same = !is_new && known->second.version == meta.resource_version();
  known->second = {meta.resource_version(), snapshot_};
  if (is_same) return;
  // Of one that may have been there before the watch began its times tell.
  const bool was_made =
      start_ == Start::kSnapshot || (meta.create_time().seconds() == meta.update_time().seconds() &&
                                     meta.create_time().nanos() == meta.update_time().nanos());
  using Type = ProjectEvent::Type;
  events->push_back({is_new && was_made ? Type::kAdded : Type::kModified, std::move(project)});
}

void WatchedProjects::TakeRemoved(const std::string& name, std::vector<ProjectEvent>* events) {
  if (known_.erase(name) == 0 && start_ == Start::kSnapshot) return;
  ProjectEvent event{ProjectEvent::Type::kDeleted};
  event.project.set_name(name);
  events->push_back(std::move(event));
}

}  // namespace culvert::forwarder
