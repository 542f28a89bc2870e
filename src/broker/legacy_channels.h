// Channels of legacy consumers that lost their path: they have no tickets, so that only this
// process can take them up again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "broker/requests.h"
#include "broker/resumption.h"

namespace culvert::broker {

// Each is kept for kLegacyResumeTime; the oldest goes first where there are too many. Confined to
// the control loop.
class LegacyChannels {
 public:
  static constexpr size_t kMost = 4'096;
  static constexpr size_t kMostPerConsumer = 64;

  struct Channel {
    OpenChannel open;
    Resumption last;  // the newest attempt
    MonotonicTime lost;
  };

  void Keep(OpenChannel open, Resumption last, MonotonicTime now);
  // Null if there is none, or it is too old. Good until the next call.
  Channel* Find(uint64_t channel_id, MonotonicTime now);
  void Forget(uint64_t channel_id);
  size_t size() const { return by_id_.size(); }

 private:
  void ForgetOldestOf(const std::string& consumer);

  std::list<Channel> channels_;  // the one that was lost first is first
  std::unordered_map<uint64_t, std::list<Channel>::iterator> by_id_;
  std::unordered_map<std::string, size_t> per_consumer_;
};

// Whether `resume` is of who opened the channel, and of nothing else than it is.
bool IsSameChannel(const OpenChannel& open, uint64_t session_id, const ResumeChannel& resume,
                   const std::optional<Principal>& who);
// For limits: the identity, or the name under --insecure.
std::string ConsumerOf(const OpenChannel& open);

}  // namespace culvert::broker
