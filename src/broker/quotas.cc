#include "broker/quotas.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "crypto/random.h"
#include "culvert/error_code.h"

namespace culvert::broker {
namespace {

// Those who are refused together are not to come back together.
Duration Spread(Duration wait) {
  const auto most = std::max(wait, Duration(std::chrono::milliseconds(100)));
  return wait + Duration(crypto::RandomId() % static_cast<uint64_t>(most.count()));
}

ResumeRefusal OverQuota(const std::string& project, uint64_t limit, const char* what,
                        Duration wait) {
  const std::string words = fmt::format("project {} has its quota of {} {}: try again in {:.1f} s",
                                        Printable(project), limit, what, ToSeconds(wait));
  return {ErrorStatus(ErrorCode::kLimit, words), ErrorCode::kLimit, wait};
}

}  // namespace

Quotas::Channel& Quotas::Channel::operator=(Channel&& other) noexcept {
  if (this == &other) return *this;
  Release();
  project_ = std::exchange(other.project_, nullptr);
  rate_ = std::move(other.rate_);
  return *this;
}

void Quotas::Channel::Release() {
  if (project_ == nullptr) return;
  CULVERT_CHECK(project_->live > 0);
  --project_->live;
  project_ = nullptr;
}

Quotas::Project& Quotas::Find(const std::string& name, MonotonicTime now) {
  if (const auto found = projects_.find(name); found != projects_.end()) return found->second;
  if (projects_.size() >= sweep_at_) Sweep(now);
  Project& project = projects_[name];
  if (lookup_) Apply(lookup_(name), project, now);
  return project;
}

void Quotas::Apply(const store::Quota& quota, Project& project, MonotonicTime now) const {
  const std::optional<uint64_t> before = project.quota.new_channels_per_second;
  project.quota = quota;
  project.bytes->SetLimit(quota.bytes_per_second.value_or(0), now);
  const std::optional<uint64_t>& openings = quota.new_channels_per_second;
  if (openings == before) return;
  project.openings.reset();
  if (!openings) return;
  const auto rate = static_cast<double>(*openings);
  project.openings.emplace(TokenRate{.per_second = rate, .burst = rate}, now);
}

void Quotas::Reload(MonotonicTime now) {
  if (!lookup_) return;
  for (auto& [name, project] : projects_) Apply(lookup_(name), project, now);
}

// A project that has nothing now is as if it had never had.
void Quotas::Sweep(MonotonicTime now) {
  Expire(now);
  std::erase_if(projects_, [now](const auto& entry) {
    const Project& project = entry.second;
    return project.live == 0 && project.suspended.empty() &&
           (!project.openings || project.openings->IsFull(now));
  });
  sweep_at_ = std::max(kFewProjects, 2 * projects_.size());
}

std::optional<ResumeRefusal> Quotas::CheckAgents(const std::string& project, uint64_t registered,
                                                 MonotonicTime now) {
  const std::optional<uint64_t> limit = Find(project, now).quota.agents;
  if (!limit || registered < *limit) return std::nullopt;
  return OverQuota(project, *limit, "agents", Spread(*limit > 0 ? kAgentRetry : kNeverRetry));
}

std::optional<ResumeRefusal> Quotas::TakeOpening(const std::string& name, MonotonicTime now) {
  Expire(now);
  Project& project = Find(name, now);
  const std::optional<uint64_t> channels = project.quota.channels;
  if (channels && project.live + project.suspended.size() >= *channels) {
    return OverQuota(name, *channels, "channels",
                     Spread(*channels > 0 ? kChannelRetry : kNeverRetry));
  }
  if (!project.openings) return std::nullopt;
  const uint64_t openings = *project.quota.new_channels_per_second;
  if (!project.openings->Take(now)) {
    const Duration wait = openings > 0 ? project.openings->Wait(now) : Duration(kNeverRetry);
    return OverQuota(name, openings, "new channels per second", Spread(wait));
  }
  if (now - project.second >= std::chrono::seconds(1)) {
    const bool follows = now - project.second < std::chrono::seconds(2);
    project.opened_before = follows ? project.opened : 0;
    project.opened = 0;
    project.second = now;
  }
  ++project.opened;
  return std::nullopt;
}

void Quotas::ReturnOpening(const std::string& name, MonotonicTime now) {
  Project& project = Find(name, now);
  if (!project.openings) return;
  project.openings->Return();
  if (project.opened > 0) --project.opened;
}

Quotas::Channel Quotas::Count(const std::string& name, MonotonicTime now) {
  Project& project = Find(name, now);
  ++project.live;
  return {project, project.bytes};
}

void Quotas::Suspend(const std::string& name, uint64_t channel_id, Duration time,
                     MonotonicTime now) {
  Forget(channel_id);
  Expire(now);
  Project& project = Find(name, now);
  MakeRoomFor(project);
  const MonotonicTime until = now + time;
  suspended_.emplace(channel_id, Suspended{&project, until});
  until_.emplace(until, channel_id);
  ChangeSuspended(project, [&] { project.suspended.emplace(until, channel_id); });
}

// Nobody pushes another project's out who has more himself.
void Quotas::MakeRoomFor(const Project& project) {
  if (project.suspended.size() >= kMostSuspendedOfOne) {
    Forget(project.suspended.begin()->second);
  } else if (suspended_.size() >= kMostSuspended) {
    Forget(most_suspended_.rbegin()->second->suspended.begin()->second);
  }
}

void Quotas::ChangeSuspended(Project& project, absl::FunctionRef<void()> change) {
  most_suspended_.erase({project.suspended.size(), &project});
  change();
  if (!project.suspended.empty()) most_suspended_.emplace(project.suspended.size(), &project);
}

void Quotas::Forget(uint64_t channel_id) {
  const auto found = suspended_.find(channel_id);
  if (found == suspended_.end()) return;
  const std::pair at(found->second.until, channel_id);
  Project& project = *found->second.project;
  suspended_.erase(found);
  until_.erase(at);
  ChangeSuspended(project, [&] { project.suspended.erase(at); });
}

void Quotas::Expire(MonotonicTime now) {
  while (!until_.empty() && until_.begin()->first <= now) Forget(until_.begin()->second);
}

QuotaUse Quotas::UseOf(const std::string& name, MonotonicTime now) {
  Expire(now);
  const auto found = projects_.find(name);
  if (found == projects_.end()) return {};
  Project& project = found->second;
  QuotaUse use{.channels = project.live + project.suspended.size(),
               .bytes_per_second = project.bytes->Recent(now)};
  const Duration passed = now - project.second;
  if (passed < std::chrono::seconds(1)) {
    use.new_channels_per_second = project.opened_before;
  } else if (passed < std::chrono::seconds(2)) {
    use.new_channels_per_second = project.opened;
  }
  return use;
}

}  // namespace culvert::broker
