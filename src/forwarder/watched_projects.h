// What a watch of projects tells, from what the broker sends. Used inside src/forwarder only.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "ntt/proxies/v1/project.pb.h"
#include "ntt/proxies/v1/project_change.pb.h"
#include "ntt/proxies/v1/project_service.pb.h"

namespace culvert::forwarder {

struct ProjectEvent {
  // kBookmark: nothing has changed, but there is a new token.
  enum class Type { kAdded, kModified, kDeleted, kBookmark };

  Type type = Type::kAdded;
  ntt::proxies::v1::Project project = {};  // only the name where it is deleted
  std::string resume_token = {};  // where the watch can go on after this event; may be none
};

const char* NameOf(ProjectEvent::Type type);

// Remembers the name and version of each project, so that each change is told once, whatever has to
// be sent again: after a reset, or with a stream that had to be begun anew, only what really
// differs is an event. Confined to one thread.
class WatchedProjects {
 public:
  enum class Start {
    kSnapshot,  // with all projects
    kChanges,   // with what changed after a token or a time: what was there is not known
  };
  // Between two messages that say `is_current`: more are told before it is known whether they stay.
  static constexpr size_t kMostPending = 100'000;

  explicit WatchedProjects(Start start)
      : start_(start), state_(start == Start::kSnapshot ? State::kSnapshot : State::kFollowing) {}

  // What to tell of one message.
  std::vector<ProjectEvent> Take(ntt::proxies::v1::WatchProjectsResponse message);
  // The stream is lost, and another one begins: with a snapshot if there is no token.
  void Restart();
  // Where that one goes on; empty: where the first one began.
  const std::string& resume_token() const { return resume_token_; }
  // Whether there was a snapshot, or will be.
  bool knows_all() const { return start_ == Start::kSnapshot; }

 private:
  using Change = ntt::proxies::v1::ProjectChange;
  enum class State { kSnapshot, kFollowing };
  struct Known {
    std::string version;
    uint64_t snapshot = 0;  // the last one that had it
  };

  void BeginSnapshot();
  void EndSnapshot(std::vector<ProjectEvent>* events);
  void TakeChange(Change change, std::vector<ProjectEvent>* events);
  void TakeProject(ntt::proxies::v1::Project project, std::vector<ProjectEvent>* events);
  void TakeRemoved(const std::string& name, std::vector<ProjectEvent>* events);
  void TakePending(std::vector<ProjectEvent>* events);

  Start start_;
  State state_;
  uint64_t snapshot_ = 0;
  std::unordered_map<std::string, Known> known_;
  std::vector<Change> pending_;  // while following: since the last is_current
  std::string resume_token_;
};

}  // namespace culvert::forwarder
