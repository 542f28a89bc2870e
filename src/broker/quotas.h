// What the projects have at the broker, and how much of it they may.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/token_bucket.h"
#include "broker/resumption.h"
#include "net/byte_rate.h"
#include "store/quota_table.h"

namespace culvert::broker {

// What a project has now.
struct QuotaUse {
  uint64_t agents = 0;
  uint64_t channels = 0;
  // In the last second; 0 where there is no limit.
  uint64_t bytes_per_second = 0;
  uint64_t new_channels_per_second = 0;
};

// Counts channels, also where there is no limit: one may be set at any time. Projects are IDs.
// Confined to the control loop.
class Quotas {
 public:
  // What counts for a project now.
  using Lookup = std::function<store::Quota(const std::string& project)>;

  // Channels without a path that count, of all projects and of one. What is too much goes at the
  // expense of the project that has most, of which those that are nearest to their end go first.
  static constexpr size_t kMostSuspended = 65'536;
  static constexpr size_t kMostSuspendedOfOne = kMostSuspended / 2;
  // Who is to wait for somebody else to end waits so long, and up to as long again.
  static constexpr Duration kAgentRetry = std::chrono::seconds(10);
  static constexpr Duration kChannelRetry = std::chrono::seconds(1);
  // Where a quota lets nobody in.
  static constexpr Duration kNeverRetry = std::chrono::minutes(1);

 private:
  struct Project {
    store::Quota quota;
    std::optional<TokenBucket> openings = std::nullopt;  // where they are limited
    std::shared_ptr<net::ByteRate> bytes = std::make_shared<net::ByteRate>();
    uint64_t live = 0;
    std::set<std::pair<MonotonicTime, uint64_t>> suspended = {};  // by their ends
    // For QuotaUse: of this second, and of the last one.
    uint64_t opened = 0;
    uint64_t opened_before = 0;
    MonotonicTime second = {};
  };

 public:
  // One channel that counts, until it is destroyed. The Quotas outlive it.
  class Channel {
   public:
    Channel() = default;
    Channel(Channel&& other) noexcept { *this = std::move(other); }
    Channel& operator=(Channel&& other) noexcept;
    ~Channel() { Release(); }

    // What its bytes count in; null for none that counts.
    const std::shared_ptr<net::ByteRate>& rate() const { return rate_; }

   private:
    friend class Quotas;
    Channel(Project& project, std::shared_ptr<net::ByteRate> rate)
        : project_(&project), rate_(std::move(rate)) {}
    void Release();

    Project* project_ = nullptr;
    std::shared_ptr<net::ByteRate> rate_;  // stays where it no longer counts
  };

  // Null: nothing is limited.
  explicit Quotas(Lookup lookup) : lookup_(std::move(lookup)) {}
  Quotas(const Quotas&) = delete;
  Quotas& operator=(const Quotas&) = delete;

  // The quotas have changed. What runs goes on.
  void Reload(MonotonicTime now);

  // Why no agent more may register where there are `registered`; nothing if it may.
  std::optional<ResumeRefusal> CheckAgents(const std::string& project, uint64_t registered,
                                           MonotonicTime now);
  // Takes an opening, or says why there may be none now.
  std::optional<ResumeRefusal> TakeOpening(const std::string& project, MonotonicTime now);
  // One that was taken was not needed.
  void ReturnOpening(const std::string& project, MonotonicTime now);
  // Beyond any limit.
  Channel Count(const std::string& project, MonotonicTime now);

  // The channel has no path, and counts until it has one, at most for `time`.
  void Suspend(const std::string& project, uint64_t channel_id, Duration time, MonotonicTime now);
  // It counts for itself, or has ended.
  void Forget(uint64_t channel_id);

  // But for agents.
  QuotaUse UseOf(const std::string& project, MonotonicTime now);

 private:
  struct Suspended {
    Project* project;
    MonotonicTime until;
  };
  Project& Find(const std::string& project, MonotonicTime now);
  void Apply(const store::Quota& quota, Project& project, MonotonicTime now) const;
  void Expire(MonotonicTime now);
  void MakeRoomFor(const Project& project);
  // Puts `project` where it belongs among the others, after `change`.
  void ChangeSuspended(Project& project, absl::FunctionRef<void()> change);
  void Sweep(MonotonicTime now);

  static constexpr size_t kFewProjects = 1'024;  // no sweep for so many

  const Lookup lookup_;
  std::unordered_map<std::string, Project> projects_;  // those that have something, and some others
  size_t sweep_at_ = kFewProjects;
  std::unordered_map<uint64_t, Suspended> suspended_;
  std::set<std::pair<MonotonicTime, uint64_t>> until_;
  std::set<std::pair<size_t, Project*>> most_suspended_;  // those that have any
};

}  // namespace culvert::broker
